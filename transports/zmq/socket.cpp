#include <mailroom/transports/zmq/socket.hpp>

#include <boost/asio/io_context.hpp>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace mailroom::transports::zmq {
namespace {

int milliseconds(duration d) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

// Messages that libzmq reads ahead for a loop that is busy. Loops drain their sockets all the time;
// it matters only for one that is stuck.
constexpr int read_ahead = 1000;

// Seconds. Only to collect connections whose host has gone: peers that fail are noticed by those
// above.
constexpr int keepalive_idle = 30;
constexpr int keepalive_interval = 10;
constexpr int keepalive_count = 3;

// Milliseconds that sent bytes may stay unacknowledged (keepalive is silent while there are some).
constexpr int most_unacknowledged = 10'000;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

socket::socket(std::shared_ptr<context> in, int type)
    : context_(std::move(in)), handle_(zmq_socket(context_->handle(), type)) {
  if (handle_ == nullptr) {
    fail("zmq_socket");
  }
}

socket::~socket() {
  zmq_close(handle_);
}

void socket::set(int option, int value) {
  if (zmq_setsockopt(handle_, option, &value, sizeof value) != 0) {
    fail("zmq_setsockopt");
  }
}

void socket::set(int option, const std::string& value) {
  if (zmq_setsockopt(handle_, option, value.data(), value.size()) != 0) {
    fail("zmq_setsockopt");
  }
}

int socket::get(int option) const {
  int value = 0;
  std::size_t size = sizeof value;
  while (zmq_getsockopt(handle_, option, &value, &size) != 0) {
    if (errno != EINTR) {
      fail("zmq_getsockopt");
    }
  }
  return value;
}

std::string socket::get_text(int option) const {
  std::array<char, 512> text{};
  std::size_t size = text.size();
  if (zmq_getsockopt(handle_, option, text.data(), &size) != 0) {
    return {};
  }
  return text.data();
}

void socket::set_up_for_network() {
  const auto& bounds = context_->bounds();
  const auto max_frame = static_cast<std::int64_t>(bounds.max_frame);
  if (zmq_setsockopt(handle_, ZMQ_MAXMSGSIZE, &max_frame, sizeof max_frame) != 0) {
    fail("zmq_setsockopt");
  }
  // Frames are counted in bytes for each peer (see backlog.hpp), which libzmq cannot do.
  set(ZMQ_SNDHWM, 0);
  set(ZMQ_RCVHWM, read_ahead);
  set(ZMQ_LINGER, milliseconds(bounds.linger));
  set(ZMQ_HANDSHAKE_IVL, milliseconds(bounds.handshake));
  set(ZMQ_TCP_KEEPALIVE, 1);
  set(ZMQ_TCP_KEEPALIVE_IDLE, keepalive_idle);
  set(ZMQ_TCP_KEEPALIVE_INTVL, keepalive_interval);
  set(ZMQ_TCP_KEEPALIVE_CNT, keepalive_count);
  set(ZMQ_TCP_MAXRT, most_unacknowledged);
}

watch::watch(executors::event_loop& on, const socket& of, executors::event_loop::source& who)
    : state_(std::make_shared<state>(state{on, &who})), descriptor_(on.io(), of.get(ZMQ_FD)) {}

watch::~watch() {
  state_->who = nullptr;
  descriptor_.release();  // libzmq closes it.
}

void watch::arm() {
  if (state_->armed) {
    return;
  }
  state_->armed = true;
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [held = state_](const boost::system::error_code& why) {
                           held->armed = false;
                           if (!why && held->who != nullptr) {
                             held->loop.ready(*held->who);
                           }
                         });
}

monitor::monitor(socket& watched, int events)
    : watched_(watched), reports_(watched.share_context(), ZMQ_PAIR) {
  reports_.set(ZMQ_RCVHWM, 0);
  reports_.set(ZMQ_LINGER, 0);
  const std::string where = watched.of().fresh_monitor_address();
  if (zmq_socket_monitor(watched_.handle(), where.c_str(), events) != 0 ||
      zmq_connect(reports_.handle(), where.c_str()) != 0) {
    fail("zmq_socket_monitor");
  }
}

// Reports end before their reader goes.
monitor::~monitor() {
  zmq_socket_monitor(watched_.handle(), nullptr, 0);
}

std::optional<monitor::event> monitor::next() {
  // Six bytes: what and value; then the local address, which says nothing new.
  std::array<std::byte, 6> head{};
  int size = 0;
  do {
    size = zmq_recv(reports_.handle(), head.data(), head.size(), ZMQ_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    return std::nullopt;
  }
  event seen;
  std::memcpy(&seen.what, head.data(), sizeof seen.what);
  std::memcpy(&seen.value, head.data() + sizeof seen.what, sizeof seen.value);
  while (reports_.get(ZMQ_RCVMORE) != 0) {
    std::array<std::byte, 1> ignored{};
    zmq_recv(reports_.handle(), ignored.data(), ignored.size(), ZMQ_DONTWAIT);
  }
  return seen;
}

void wait_for(const socket& one, const socket& other, duration at_most) {
  std::array<zmq_pollitem_t, 2> items{
      {{one.handle(), 0, ZMQ_POLLIN, 0}, {other.handle(), 0, ZMQ_POLLIN, 0}}};
  zmq_poll(items.data(), static_cast<int>(items.size()), milliseconds(at_most) + 1);
}

}  // namespace mailroom::transports::zmq
