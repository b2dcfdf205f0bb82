#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace mailroom::tests {

/// What a path does to packets. Shares are from 0 to 1.
struct path_settings {
  duration delay{0};
  duration jitter{0};    ///< Up to so much more or less delay.
  double loss = 0;       ///< Share that vanishes.
  double duplicate = 0;  ///< Share that arrives twice.
  double reorder = 0;    ///< Share that goes without delay, before others.
  double rate = 0;       ///< Bits in a second; 0: as many as come.
  duration queue = std::chrono::milliseconds(50);  ///< With a rate: what would wait longer is lost.
};

/// Reads "delay_ms=50 loss=0.01"; what is not named is as it is by default. Nothing if it cannot be
/// read. Names: delay_ms, jitter_ms, loss, duplicate, reorder, rate, queue_ms.
std::optional<path_settings> read_path_settings(const std::string& text);

/// One direction of a link: packets go in, and come out when it is their time. Chance is the same
/// for the same seed. One thread.
class emulated_path {
 public:
  using packet = std::vector<std::byte>;

  explicit emulated_path(std::uint32_t seed) : random_(seed) {}

  void set(const path_settings& to) noexcept { settings_ = to; }
  void put(packet what, time_point now);
  /// When `take` has something to give; `max` if nothing is on its way.
  time_point next() const noexcept;
  /// What has arrived by `now`, one after the other.
  std::optional<packet> take(time_point now);

 private:
  struct waiting {
    time_point due;
    std::uint64_t number;  // Those that are due together keep their order.
    packet what;
    bool operator>(const waiting& other) const noexcept {
      return due != other.due ? due > other.due : number > other.number;
    }
  };

  bool happens(double share) { return share > 0 && chance_(random_) < share; }
  std::optional<time_point> leaves_queue(std::size_t bytes, time_point now) noexcept;

  path_settings settings_;
  std::mt19937 random_;
  std::uniform_real_distribution<double> chance_{0, 1};
  std::priority_queue<waiting, std::vector<waiting>, std::greater<>> on_their_way_;
  std::uint64_t last_number_ = 0;
  time_point free_at_{};  // When what has a rate can send the next.
};

}  // namespace mailroom::tests
