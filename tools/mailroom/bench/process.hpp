#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/result.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mailroom::bench {

/// CPU time that this process has used so far, all threads, user and system.
duration own_cpu_time() noexcept;

/// Its threads now, by the system's numbers, and what some of them have used.
std::set<int> own_threads();
duration cpu_time_of(const std::set<int>& threads);

/// Keeps this process, and threads it starts from now on, to one CPU. `errc::io` with the system's
/// words.
result<void> keep_to_cpu(unsigned cpu);

/// SIGTERM and SIGINT no longer end this process, nor threads it starts from now on; they wait for
/// `wait_for_stop_signal`. SIGHUP is ignored: a server outlives its terminal. Call it before any
/// thread is started.
void hold_stop_signals();
/// Blocks until one comes.
void wait_for_stop_signal();

/// This program run once more with other arguments, or another one. Ends it, if it still runs, when
/// it goes out of scope or this process ends, in whatever way. One thread starts all and lasts.
class child {
 public:
  /// `errc::io` with the system's words.
  static result<child> start(const std::vector<std::string>& arguments);
  /// The first word is the program, looked for as a shell does.
  static result<child> start_program(const std::vector<std::string>& words);
  child(child&& other) noexcept;
  child& operator=(child&&) = delete;
  ~child();

  /// The next line of its standard output; nothing when it has closed that. Blocks.
  std::optional<std::string> read_line();
  /// The rest of its standard output. Blocks until it ends.
  std::string read_rest();

  /// Asks it to end (SIGTERM) and waits.
  int terminate();
  /// Waits for its end; its exit code, or 128 and the signal that ended it.
  int wait();

  pid_t pid() const noexcept { return pid_; }

 private:
  static result<child> start(const std::string& program, std::vector<std::string> words);
  child(pid_t pid, int out) noexcept : pid_(pid), out_(out) {}
  bool read_more();

  pid_t pid_;  // -1 after `wait`.
  int out_;
  std::string read_;
};

}  // namespace mailroom::bench
