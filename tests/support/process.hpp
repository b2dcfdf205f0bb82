#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace mailroom::tests {

/// What a process has used and holds, as /proc tells.
struct process_figures {
  std::chrono::milliseconds cpu{0};  ///< User and system time.
  std::size_t private_bytes = 0;     ///< Memory that it shares with nobody.
  std::size_t threads = 0;
};

/// A program that the test started: its standard input and output are pipes, its standard error is
/// a file. It is killed when this goes, and when the test dies. One thread at a time.
class process {
 public:
  explicit process(const std::vector<std::string>& command);
  ~process();
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  /// The next line of its output without the line's end; nothing at its end, or if none came in
  /// time.
  std::optional<std::string> read_line(std::chrono::milliseconds within = std::chrono::seconds(30));
  /// The rest of the next line that begins with `beginning`; lines before it are skipped. Throws if
  /// it does not come in time.
  std::string read_after(const std::string& beginning,
                         std::chrono::milliseconds within = std::chrono::seconds(30));
  void write_line(const std::string& line);
  void close_input();

  void signal(int number) const;
  /// Its exit code, or 128 + the signal that ended it; nothing if it still runs.
  std::optional<int> wait(std::chrono::milliseconds within = std::chrono::seconds(30));
  bool running() { return !wait(std::chrono::milliseconds(0)); }

  pid_t pid() const noexcept { return pid_; }
  process_figures figures() const;
  /// What it has written to standard error so far.
  std::string errors() const;

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int errors_ = -1;
  std::string unread_;
  std::optional<int> ended_;
};

process_figures figures_of(pid_t pid);

}  // namespace mailroom::tests
