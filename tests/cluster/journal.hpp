#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <cstdint>
#include <string>

namespace mailroom::tests {

/// A file that only grows: each line is there as a whole, with one system call, before `write`
/// returns. So what is in it outlives kill -9, and nobody's own counters have a say. @threadsafe
class journal {
 public:
  /// Throws std::system_error if the file cannot be opened.
  explicit journal(const std::string& path);
  ~journal();
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  /// `line` has no end of line yet. A journal that cannot be written proves nothing: it aborts.
  void write(std::string line);

 private:
  int file_;
};

/// Nanoseconds of the monotonic clock, which all processes and network namespaces share.
inline std::string in_journal(time_point at) {
  return std::to_string(at.time_since_epoch().count());
}

}  // namespace mailroom::tests
