#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <algorithm>
#include <cstdint>

namespace mailroom::rpc {

/// Whether a server's calls fail in a row, so that it had better be passed over for a while
/// (Envoy: outlier detection, consecutive failures). What counts is that the server or the way to
/// it is in trouble: `lost`, `unreachable`, `expired`, `internal`, and `busy` if it says nothing
/// else for a while. What a handler throws is an answer like any other. Used by one thread; reads
/// no clock.
class server_health {
 public:
  static constexpr std::uint32_t failures_in_a_row = 5;
  static constexpr duration busy_for = std::chrono::seconds(1);
  static constexpr duration first_rest = std::chrono::seconds(1);  ///< Doubled each time up to
  static constexpr duration longest_rest = std::chrono::seconds(30);

  /// Whether `succeeded` would change anything.
  bool in_trouble() const noexcept { return in_a_row_ != 0; }
  void succeeded() noexcept {
    in_a_row_ = 0;
    worse_than_busy_ = 0;
  }

  /// True if it is to rest from now on.
  bool failed(time_point now, bool only_busy) noexcept {
    if (rests(now)) {
      return false;  // Of before.
    }
    if (in_a_row_++ == 0) {
      since_ = now;
    }
    worse_than_busy_ += only_busy ? 0U : 1U;
    const bool enough = worse_than_busy_ >= failures_in_a_row ||
                        (in_a_row_ >= failures_in_a_row && now - since_ >= busy_for);
    if (!enough) {
      return false;
    }
    succeeded();
    // Well for as long as the longest rest: all is forgiven.
    rest_ = rest_ == duration::zero() || now - until_ >= longest_rest
                ? first_rest
                : std::min(rest_ * 2, longest_rest);
    until_ = now + rest_;
    return true;
  }

  bool rests(time_point now) const noexcept { return now < until_; }
  time_point rests_until() const noexcept { return until_; }

 private:
  std::uint32_t in_a_row_ = 0;
  std::uint32_t worse_than_busy_ = 0;  // Of these.
  time_point since_{};                 // The first of these.
  time_point until_ = time_point::min();
  duration rest_{};
};

}  // namespace mailroom::rpc
