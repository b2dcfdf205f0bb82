#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <atomic>
#include <cstddef>
#include <limits>
#include <mutex>
#include <vector>

namespace mailroom::executors {

class timer_queue;

/// Something that wants to be told when a point in time has come. It is not copied and not moved while
/// armed; its owner cancels it before it dies.
class timer {
 public:
  timer() noexcept = default;
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  /// Runs on a thread of the executor or loop it is armed on, once for each arming. Must be short, must not
  /// throw, and must not arm or cancel timers; usually it posts a message.
  virtual void on_time() noexcept = 0;

 protected:
  ~timer() = default;

 private:
  friend class timer_queue;
  static constexpr std::size_t unarmed = std::numeric_limits<std::size_t>::max();

  time_point due_{};
  std::size_t position_ = unarmed;  // In the heap. Guarded by the queue's mutex.
};

/// Armed timers ordered by time: a binary heap that knows where each timer sits, so that cancelling is
/// O(log n) and leaves nothing behind.
/// @threadsafe
class timer_queue {
 public:
  /// Arms or re-arms `t`. Returns true when it became the earliest, so that the sleeper must look again.
  bool arm(timer& t, time_point due);

  /// After it returned, `on_time` of `t` neither runs nor will run (it waits for one that is running on
  /// another thread). Unarmed timers are fine.
  void cancel(timer& t) noexcept;

  /// When the earliest is due; `time_point::max()` if none. Cheap, may be called for every turn.
  time_point next() const noexcept;

  /// Runs `on_time` of all that are due at `now`. Returns how many.
  std::size_t fire(time_point now) noexcept;

  std::size_t size() const;

 private:
  void sift_up(std::size_t at) noexcept;
  void sift_down(std::size_t at) noexcept;
  void place(timer* t, std::size_t at) noexcept;
  void remove(std::size_t at) noexcept;
  void publish_next() noexcept;

  mutable std::mutex mutex_;
  std::vector<timer*> heap_;               // Guarded by mutex_.
  std::atomic<time_point::rep> next_{std::numeric_limits<time_point::rep>::max()};
};

}  // namespace mailroom::executors
