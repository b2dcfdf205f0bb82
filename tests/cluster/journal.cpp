#include <mailroom/tests/cluster/journal.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace mailroom::tests {

journal::journal(const std::string& path)
    : file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (file_ < 0) {
    throw std::system_error(errno, std::generic_category(), path);
  }
}

journal::~journal() {
  close(file_);
}

void journal::write(std::string line) {
  line += '\n';
  if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    std::perror("journal");
    std::abort();
  }
}

}  // namespace mailroom::tests
