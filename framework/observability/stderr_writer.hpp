#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace spdlog {
class formatter;
}

namespace mailroom::log {

/// Lines on their way to stderr, which may be a pipe that nobody reads: whoever logs leaves a line
/// in a bounded queue, and one thread of the process, `mr-log`, waits for stderr. What finds the
/// queue full is lost and counted; `log_overflowed lines_lost=N` says so as soon as there is room.
/// @threadsafe
class stderr_writer {
 public:
  /// The only one. Never destroyed: threads may log while the process ends.
  static stderr_writer& instance();

  stderr_writer(const stderr_writer&) = delete;
  stderr_writer& operator=(const stderr_writer&) = delete;

  /// Queues `text` with the time of now before it and a newline after it.
  void add(std::string_view text) noexcept;

  /// Waits until everything has been written, at most that long; false if it has not.
  bool flush(duration limit) noexcept;

 private:
  using lock = std::unique_lock<std::mutex>;
  static constexpr std::size_t most_bytes = std::size_t{1} << 20U;

  stderr_writer();

  bool has_thread() noexcept;
  void run() noexcept;
  void write_what_fits() noexcept;
  std::string with_time(std::string_view text) const;
  void push(std::string line);
  void tell_lost();
  std::string pop() noexcept;
  bool wait_until_written(lock& held, duration limit);
  void on_exit() noexcept;
  void after_fork() noexcept;

  std::mutex mutex_;
  std::condition_variable wake_;                        // There is something to write.
  std::condition_variable written_;                     // Everything has been written.
  const std::unique_ptr<spdlog::formatter> formatter_;  // Guarded by mutex_.
  std::deque<std::string> queue_;                       // Guarded by mutex_.
  std::size_t bytes_ = 0;                               // Of the queue. Guarded by mutex_.
  std::uint64_t lost_ = 0;                              // Lines, not told yet. Guarded by mutex_.
  bool running_ = false;                                // There is a thread. Guarded by mutex_.
  bool writing_ = false;  // A line that has left the queue. Guarded by mutex_.
  bool ending_ = false;   // The process exits: nobody else would wait. Guarded by mutex_.
};

}  // namespace mailroom::log
