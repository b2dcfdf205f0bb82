#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <limits>
#include <mutex>
#include <vector>

namespace mailroom::executors {

class timer_queue;

/// Something that wants to be told when a point in time has come. It is not copied and not moved
/// while armed; its owner cancels it before it dies, and does not arm and cancel it from two
/// threads at once.
class timer {
 public:
  timer() noexcept = default;
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  /// Runs on a thread of the executor or loop it is armed on, once for each arming. Must be short,
  /// must not throw, and must not arm or cancel timers (cancelling itself would wait for itself);
  /// usually it posts a message. Whoever reads the message may arm the timer again, even while
  /// `on_time` still runs.
  virtual void on_time() noexcept = 0;

 protected:
  virtual ~timer() = default;

 private:
  friend class timer_queue;
  static constexpr std::size_t unarmed = std::numeric_limits<std::size_t>::max();

  std::atomic<timer_queue*> queue_{nullptr};  // Where it is armed or its `on_time` is running.
  time_point due_{};                          // Guarded by the queue's mutex.
  std::size_t position_ = unarmed;            // In the heap. Guarded by the queue's mutex.
};

/// Armed timers ordered by time: a binary heap that knows where each timer sits, so that cancelling
/// is O(log n) and leaves nothing behind. The order of timers with the same time is unspecified.
/// @threadsafe
class timer_queue {
 public:
  timer_queue() = default;
  timer_queue(const timer_queue&) = delete;
  timer_queue& operator=(const timer_queue&) = delete;

  /// Forgets the timers that are still armed: they never fire.
  ~timer_queue();

  /// Arms or re-arms `t`; takes it away from another queue if it is armed there. Returns true when
  /// it became the earliest, so that the sleeper must look again.
  bool arm(timer& t, time_point due);

  /// After it returned, `on_time` of `t` neither runs nor will run (it waits for one that is
  /// running on another thread). Works for a timer of any queue; costs one load if `t` is not
  /// armed.
  static void cancel(timer& t) noexcept;

  /// When the earliest is due; `time_point::max()` if none. Cheap, may be called for every turn.
  time_point next() const noexcept { return time_point(duration(next_.load())); }

  /// Runs `on_time` of all that are due at `now`, earliest first. Returns how many. One thread at a
  /// time fires; others wait.
  std::size_t fire(time_point now) noexcept;

  std::size_t size() const;

 private:
  void cancel_here(timer& t) noexcept;
  void sift_up(std::size_t at) noexcept;
  void sift_down(std::size_t at) noexcept;
  void place(timer* t, std::size_t at) noexcept;
  void remove(std::size_t at) noexcept;
  void publish_next() noexcept;

  std::mutex firing_;  // Held by the thread that fires; taken before mutex_.
  mutable std::mutex mutex_;
  std::condition_variable fired_;
  std::vector<timer*> heap_;  // Guarded by mutex_.
  timer* running_ = nullptr;  // Whose `on_time` runs now. Guarded by mutex_.
  std::size_t waiting_ = 0;   // Threads in `cancel` that wait for it. Guarded by mutex_.
  std::atomic<time_point::rep> next_{std::numeric_limits<time_point::rep>::max()};
};

}  // namespace mailroom::executors
