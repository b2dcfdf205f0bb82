#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace mailroom::tests {

/// What a finished command left behind.
struct outcome {
  int code = -1;
  std::string out;
  std::string err;

  bool is_one_line_of_error() const { return !err.empty() && err.find('\n') == err.size() - 1; }
};

/// Runs `mailroom` with these arguments to its end.
outcome run(const std::vector<std::string>& arguments);
/// The same with a stdout that takes nothing, as a full disk does.
outcome run_on_full_disk(const std::vector<std::string>& arguments);
/// The same with a stdout that nobody reads any more.
outcome run_on_closed_pipe(const std::vector<std::string>& arguments);

/// `mailroom bench serve` on a port that the system chose; ends with its scope.
class server {
 public:
  explicit server(const std::string& executor = "loop-bound");
  /// Another server, which says `ready ADDRESS` when it is.
  explicit server(const std::vector<std::string>& arguments);
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();

  /// Empty if it did not start.
  const std::string& address() const noexcept { return address_; }

  /// Sends SIGTERM; its exit code.
  int terminate();

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  std::string address_;
};

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace mailroom::tests
