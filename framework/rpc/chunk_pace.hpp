#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <algorithm>
#include <cstddef>

namespace mailroom::rpc {

/// How many bytes of large bodies may be under way on a link, so that they fill it and nothing
/// waits long behind them: as many as it takes, and what it takes within `most_delay` more (as
/// LEDBAT, RFC 6817). Goes by the time that a chunk takes to its receiver and the word of it back.
/// Pure, one thread at a time.
class chunk_pace {
 public:
  static constexpr std::size_t least = std::size_t{8} << 10U;
  static constexpr std::size_t most = std::size_t{4} << 20U;
  static constexpr duration most_delay = std::chrono::milliseconds(40);

  /// Bytes that may be under way.
  std::size_t window() const noexcept { return static_cast<std::size_t>(window_); }
  /// Bytes of one chunk: several are under way, so that the link never runs dry.
  std::size_t chunk() const noexcept {
    return std::clamp(window() / 8, std::size_t{2} << 10U, std::size_t{256} << 10U);
  }

  /// So many bytes have been taken, the last of them after `round_trip`.
  void taken(std::size_t bytes, duration round_trip) noexcept {
    base_ = std::min(base_, round_trip);
    const auto waited = static_cast<double>((round_trip - base_).count());
    const double room = 1.0 - waited / static_cast<double>(most_delay.count());
    const auto count = static_cast<double>(bytes);
    if (growing_ && room < 0) {
      // Back to what the link takes within one round trip.
      growing_ = false;
      window_ *= static_cast<double>(base_.count()) / static_cast<double>(round_trip.count());
    } else if (growing_) {
      window_ += count;  // Doubles with each round trip.
    } else {
      window_ += std::clamp(room, -1.0, 1.0) * count * step / window_;
    }
    window_ = std::clamp(window_, static_cast<double>(least), static_cast<double>(most));
  }

 private:
  static constexpr double step = 8 << 10U;  // Bytes for each round trip, at most.

  double window_ = least;
  duration base_ = duration::max();  // The shortest round trip.
  bool growing_ = true;
};

}  // namespace mailroom::rpc
