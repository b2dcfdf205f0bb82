#pragma once

#include <time.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace mailroom::tests::bench {

/// What one run of one workload was measured to be.
struct figures {
  double value = 0;      ///< Messages a second; for latencies, microseconds.
  double cpu_nanos = 0;  ///< Processor time of the whole process for each message.
};

/// Tells the thread that measures when actors have done their work: it sleeps until then.
class finish_line {
 public:
  explicit finish_line(std::size_t expected = 1) : missing_(expected) {}

  /// @threadsafe
  void arrive() {
    const std::lock_guard lock(mutex_);
    if (--missing_ == 0) {
      all_here_.notify_one();
    }
  }

  void wait() {
    std::unique_lock lock(mutex_);
    all_here_.wait(lock, [this] { return missing_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::size_t missing_;  // Guarded by mutex_.
};

/// Runs from its construction.
class stopwatch {
 public:
  figures over(std::size_t messages) const {
    const double wall = now(CLOCK_MONOTONIC) - wall_;
    const double cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu_;
    const auto count = static_cast<double>(messages);
    return {count / wall, cpu / count * 1e9};
  }

 private:
  static double now(clockid_t of) {
    timespec at{};
    ::clock_gettime(of, &at);
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
  }

  double cpu_ = now(CLOCK_PROCESS_CPUTIME_ID);
  double wall_ = now(CLOCK_MONOTONIC);
};

}  // namespace mailroom::tests::bench
