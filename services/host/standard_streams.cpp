#include <mailroom/services/host/standard_streams.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace mailroom {

void open_standard_streams() noexcept {
  for (int each = STDIN_FILENO; each <= STDERR_FILENO; ++each) {
    if (::fcntl(each, F_GETFD) == -1 && errno == EBADF) {
      // The lowest free descriptor: this one.
      const char* const instead = each == STDOUT_FILENO ? "/dev/full" : "/dev/null";
      static_cast<void>(::open(instead, each == STDIN_FILENO ? O_RDONLY : O_WRONLY));
    }
  }
}

int unless_unseen(std::string_view program, int code) {
  errno = 0;
  if (std::cout.flush() && std::fflush(stdout) == 0) {
    return code;
  }
  const int why = errno;
  std::fprintf(stderr,
               "%.*s: stdout cannot be written%s%s\n",
               static_cast<int>(program.size()),
               program.data(),
               why != 0 ? ": " : "",
               why != 0 ? std::strerror(why) : "");
  return 1;
}

}  // namespace mailroom
