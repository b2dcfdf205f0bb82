#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

namespace mailroom::rpc {

/// Tells calls that came before this process stood still (SIGSTOP, a suspended machine) from those
/// that came after it: peers that heard nothing for so long have given it up and told the callers,
/// so nothing of before may start.
///
/// The control thread, for whose heartbeats peers wait, passes by again and again. Who finds that
/// its last pass is too long ago, by the present time, need not wait for it to notice: whichever
/// thread is the first to run again, no old call starts.
class vigil {
 public:
  /// A time of uninterrupted running; never `none`.
  using epoch = std::uint32_t;
  static constexpr epoch none = 0;

  /// Peers give up a process that is silent for `patience`. `woken` is called on the control thread
  /// when that has been so, with how long it stood still, when the new epoch has begun.
  vigil(duration patience, time_point now, std::function<void(duration)> woken)
      : patience_(patience),
        woken_(std::move(woken)),
        last_(now),
        until_((now + patience).time_since_epoch().count()) {}

  /// The control thread runs. True if it had not for so long that a new epoch has begun. Control
  /// thread.
  bool pass(time_point now) {
    const duration still = now - last_;
    last_ = now;
    const bool new_epoch = still >= patience_;
    if (new_epoch) {
      epoch_.store(epoch_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    // Who sees this sees the epoch too.
    until_.store((now + patience_).time_since_epoch().count(), std::memory_order_release);
    if (new_epoch && woken_) {
      woken_(still);
    }
    return new_epoch;
  }

  /// The epoch at the present time `now`; `none` if peers may have given this process up since the
  /// last pass. @threadsafe
  epoch at(time_point now) const noexcept {
    if (now.time_since_epoch().count() >= until_.load(std::memory_order_acquire)) {
      return none;
    }
    return epoch_.load(std::memory_order_relaxed);
  }

  /// Control thread.
  epoch present() const noexcept { return epoch_.load(std::memory_order_relaxed); }

 private:
  const duration patience_;
  const std::function<void(duration)> woken_;
  time_point last_;  // Control thread only.
  std::atomic<time_point::rep> until_;
  std::atomic<epoch> epoch_{1};
};

}  // namespace mailroom::rpc
