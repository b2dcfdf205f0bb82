#pragma once

#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

#include <pthread.h>
#include <time.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace mailroom::tests {

/// A count that tests wait on.
class tally {
 public:
  void add(int n = 1) {
    const std::lock_guard lock(mutex_);
    value_ += n;
    changed_.notify_all();
  }

  int value() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  /// False if it did not get there in time.
  bool reaches(int wanted, std::chrono::nanoseconds within = patience) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, within, [&] { return value_ >= wanted; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int value_ = 0;
};

inline std::string this_thread_name() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return name.data();
}

/// Processor time of the whole process.
inline std::chrono::nanoseconds cpu_time() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

/// A timer that runs a function. Destroying it waits for its end.
class probe_timer final : public executors::timer {
 public:
  explicit probe_timer(std::function<void()> then) : then_(std::move(then)) {}
  ~probe_timer() override { executors::timer_queue::cancel(*this); }
  void on_time() noexcept override { then_(); }

 private:
  std::function<void()> then_;
};

}  // namespace mailroom::tests
