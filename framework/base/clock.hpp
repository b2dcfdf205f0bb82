#pragma once

#include <algorithm>
#include <chrono>

namespace mailroom {

/// The one clock of calls, timers and deadlines: monotonic, so that a change of the wall clock
/// neither expires nor revives a call.
using clock = std::chrono::steady_clock;
using time_point = std::chrono::time_point<clock, std::chrono::nanoseconds>;
using duration = std::chrono::nanoseconds;

/// As it travels: since the zero of this machine's clock.
inline std::int64_t nanoseconds(time_point at) noexcept {
  return at.time_since_epoch().count();
}

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): 2s reads as time.

/// The point in time after which nobody waits for an answer (gRPC's word; a *timeout* is a
/// duration). A value; `deadline::none()` never passes.
class deadline {
 public:
  constexpr deadline() noexcept = default;
  constexpr explicit deadline(time_point at) noexcept : at_(at) {}

  static constexpr deadline none() noexcept { return deadline{}; }

  /// `timeout` from `now`, saturating: a timeout too long to represent means none.
  static constexpr deadline after(time_point now, duration timeout) noexcept {
    return timeout >= time_point::max() - now ? none() : deadline(now + timeout);
  }

  constexpr time_point at() const noexcept { return at_; }
  constexpr bool is_none() const noexcept { return at_ == time_point::max(); }
  constexpr bool passed(time_point now) const noexcept { return now >= at_; }

  /// Time left, never negative.
  constexpr duration left(time_point now) const noexcept {
    return is_none() ? duration::max() : std::max(duration::zero(), duration(at_ - now));
  }

  /// The smaller of two: what a nested call inherits.
  friend constexpr deadline earlier(deadline a, deadline b) noexcept {
    return a.at_ < b.at_ ? a : b;
  }
  friend constexpr bool operator==(deadline, deadline) noexcept = default;

 private:
  time_point at_ = time_point::max();
};

/// `pause` from `now`; one too long to represent never ends.
constexpr time_point later(time_point now, duration pause) noexcept {
  return deadline::after(now, pause).at();
}

}  // namespace mailroom
