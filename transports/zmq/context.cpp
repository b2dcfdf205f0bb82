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
#include <vector>

namespace mailroom::transports::zmq {
namespace {

// Measured: a node with two ports takes 14 beside its loops' own; and some peers to dial.
constexpr std::size_t descriptors_to_start = 32;

// For files, timers and links of our own choice when strangers have taken all others.
constexpr rlim_t kept_free = 16;

// libzmq draws its back-off and identities from rand(), which starts the same in every process.
void seed_once(platform& host) {
  static std::once_flag seeded;
  std::call_once(seeded, [&host] {
    unsigned seed = 0;
    host.random(std::as_writable_bytes(std::span(&seed, 1)));
    std::srand(seed);
  });
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

bool descriptors_left(std::size_t wanted) {
  std::vector<int> probes;
  probes.reserve(wanted);
  while (probes.size() != wanted) {
    const int probe = ::eventfd(0, EFD_CLOEXEC);
    if (probe < 0) {
      break;
    }
    probes.push_back(probe);
  }
  std::for_each(probes.begin(), probes.end(), ::close);
  return probes.size() == wanted;
}

bool nearly_out_of_descriptors(int descriptor) {
  rlimit most{};
  return ::getrlimit(RLIMIT_NOFILE, &most) == 0 &&
         static_cast<rlim_t>(descriptor) + kept_free >= most.rlim_cur;
}

result<std::shared_ptr<context>> context::open(platform& host, rpc::transport::limits bounds) {
  seed_once(host);
  if (!descriptors_left(descriptors_to_start)) {
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
