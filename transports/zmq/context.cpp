#include <mailroom/transports/zmq/context.hpp>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <new>
#include <span>

namespace mailroom::transports::zmq {
namespace {

// libzmq draws its back-off and identities from rand(), which starts the same in every process.
void seed_once(platform& host) {
  static std::once_flag seeded;
  std::call_once(seeded, [&host] {
    unsigned seed = 0;
    host.random(std::as_writable_bytes(std::span(&seed, 1)));
    std::srand(seed);
  });
}

// libzmq aborts when it makes its first socket without descriptors; ask for as many as that takes.
bool descriptors_left() {
  std::array<int, 12> probes{};
  std::size_t opened = 0;
  for (int& probe : probes) {
    probe = ::eventfd(0, EFD_CLOEXEC);
    if (probe < 0) {
      break;
    }
    ++opened;
  }
  std::for_each(probes.begin(), probes.begin() + static_cast<std::ptrdiff_t>(opened), ::close);
  return opened == probes.size();
}

int most_sockets(void* handle) {
  const int most = zmq_ctx_get(handle, ZMQ_SOCKET_LIMIT);
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0 &&
      descriptors.rlim_cur < static_cast<rlim_t>(most)) {
    return static_cast<int>(descriptors.rlim_cur);
  }
  return most;
}

}  // namespace

result<std::shared_ptr<context>> context::open(platform& host, rpc::transport::limits bounds) {
  seed_once(host);
  if (!descriptors_left()) {
    return error(errc::io, "no file descriptors left for sockets (see ulimit -n)");
  }
  std::shared_ptr<context> opened(new context(host, bounds));
  opened->handle_ = zmq_ctx_new();
  if (opened->handle_ == nullptr) {
    return error(errc::io, zmq_strerror(errno));
  }
  zmq_ctx_set(opened->handle_, ZMQ_IO_THREADS, 1);
  zmq_ctx_set(opened->handle_, ZMQ_MAX_SOCKETS, most_sockets(opened->handle_));
  return opened;
}

context::~context() {
  if (handle_ != nullptr) {
    while (zmq_ctx_term(handle_) != 0 && errno == EINTR) {
    }
  }
}

std::string context::fresh_routing_id() {
  std::array<std::byte, 16> drawn{};
  host_.random(drawn);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string id;
  for (const std::byte one : drawn) {
    id += digits[std::to_integer<std::size_t>(one >> 4)];
    id += digits[std::to_integer<std::size_t>(one & std::byte{15})];
  }
  return id;
}

std::string context::fresh_monitor_address() {
  return "inproc://monitor-" + std::to_string(++monitors_);
}

}  // namespace mailroom::transports::zmq
