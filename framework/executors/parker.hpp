#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <atomic>
#include <cstdint>

namespace mailroom::executors {

/// Where one thread sleeps until another has something for it. No wake-up is lost if both keep to
/// the order
///
///     sleeper: announce(); look for work; found ? stay_awake() : sleep(until)
///     other:   publish the work (sequentially consistent); wake()
///
/// since then either the sleeper sees the work or the other sees the announcement. Waking a thread
/// that has not announced anything costs one load.
class parker {
 public:
  parker() noexcept = default;
  parker(const parker&) = delete;
  parker& operator=(const parker&) = delete;

  /// From here on `wake` ends the `sleep` that follows. Sleeper only.
  void announce() noexcept { state_.store(announced); }

  /// Takes `announce` back. Sleeper only.
  void stay_awake() noexcept { state_.store(awake, std::memory_order_relaxed); }

  /// Sleeps until woken since `announce`, or until `until` (`time_point::max()`: no limit). Returns
  /// whether it was woken. Sleeper only; blocks without using the processor.
  bool sleep(time_point until = time_point::max()) noexcept;

  /// Returns whether there was a sleeper (or one about to sleep) that had not been woken yet.
  /// @threadsafe
  bool wake() noexcept;

 private:
  static constexpr std::uint32_t awake = 0;
  static constexpr std::uint32_t announced = 1;

  std::atomic<std::uint32_t> state_{awake};
};

}  // namespace mailroom::executors
