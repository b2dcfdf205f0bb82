#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <system_error>
#include <utility>

namespace mailroom::tests {

/// A descriptor that is closed when this goes.
class owned_descriptor {
 public:
  owned_descriptor() noexcept = default;
  explicit owned_descriptor(int opened) : number_(opened) {
    if (opened < 0) {
      throw std::system_error(errno, std::generic_category(), "no descriptor");
    }
  }
  owned_descriptor(owned_descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  owned_descriptor& operator=(owned_descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~owned_descriptor() { close(); }

  int get() const noexcept { return number_; }
  void close() noexcept {
    if (number_ >= 0) {
      ::close(std::exchange(number_, -1));
    }
  }

 private:
  int number_ = -1;
};

/// Two ends of a stream, both ways; neither blocks.
struct connected_ends {
  connected_ends() {
    int both[2];  // NOLINT: as the system wants it.
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, both) != 0) {
      throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    near = owned_descriptor(both[0]);
    far = owned_descriptor(both[1]);
  }

  owned_descriptor near;
  owned_descriptor far;
};

inline void write_to(const owned_descriptor& to, std::string_view text) {
  if (::write(to.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::system_error(errno, std::generic_category(), "write");
  }
}

/// One byte, or '-' if there is none, or '.' at the end.
inline char read_from(int descriptor) {
  char one = 0;
  const auto got = ::read(descriptor, &one, 1);
  return got == 1 ? one : got == 0 ? '.' : '-';
}

/// Writes until no more fits in.
inline void fill(int descriptor) {
  const char block[1024] = {};  // NOLINT
  while (::write(descriptor, block, sizeof block) > 0) {
  }
}
/// Reads what there is.
inline void drain(int descriptor) {
  char block[1024];  // NOLINT
  while (::read(descriptor, block, sizeof block) > 0) {
  }
}

}  // namespace mailroom::tests
