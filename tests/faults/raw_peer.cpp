#include <mailroom/tests/faults/raw_peer.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <stdexcept>

namespace mailroom::tests {

raw_context::raw_context() : context_(::zmq_ctx_new()) {}
raw_context::~raw_context() {
  ::zmq_ctx_term(context_);
}

raw_peer::raw_peer(const raw_context& in, const std::string& address, int unread) {
  // Sockets that were closed go when what they sent has left: until then there may be too many.
  while ((socket_ = ::zmq_socket(in.get(), ZMQ_DEALER)) == nullptr) {
    ::poll(nullptr, 0, 1);
  }
  const int linger = 2000;
  ::zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
  ::zmq_setsockopt(socket_, ZMQ_RCVHWM, &unread, sizeof unread);
  const int never = -1;  // A second connection would be another peer.
  ::zmq_setsockopt(socket_, ZMQ_RECONNECT_IVL, &never, sizeof never);
  const int any_number = 0;
  ::zmq_setsockopt(socket_, ZMQ_SNDHWM, &any_number, sizeof any_number);
  if (::zmq_connect(socket_, address.c_str()) != 0) {
    throw std::runtime_error("cannot connect to " + address);
  }
}
raw_peer::~raw_peer() {
  ::zmq_close(socket_);
}

void raw_peer::send(std::span<const std::byte> frame) {
  ::zmq_send(socket_, frame.data(), frame.size(), ZMQ_DONTWAIT);
}
void raw_peer::send(wire::batch& messages) {
  send(messages.take().bytes());
}

std::optional<octets> raw_peer::receive(int milliseconds) {
  ::zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &milliseconds, sizeof milliseconds);
  zmq_msg_t message;
  ::zmq_msg_init(&message);
  std::optional<octets> received;
  if (::zmq_msg_recv(&message, socket_, 0) >= 0) {
    const auto* begin = static_cast<const std::byte*>(::zmq_msg_data(&message));
    received.emplace(begin, begin + ::zmq_msg_size(&message));
  }
  ::zmq_msg_close(&message);
  return received;
}

std::optional<heard> listen_for(raw_peer& by, wire::plane on, wire::kind what, int milliseconds) {
  const auto until = clock::now() + std::chrono::milliseconds(milliseconds);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    auto received = by.receive(static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (!received) {
      return std::nullopt;
    }
    heard found{*std::move(received), {}};
    auto messages = wire::reader::open(found.frame, on);
    while (messages && messages->next(found.message).value_or(false)) {
      if (found.message.what == what) {
        return found;
      }
    }
  }
}

bool raw_session::hears(wire::kind what, int milliseconds) {
  return listen_for(control_, wire::plane::control, what, milliseconds).has_value();
}

raw_session::raw_session(const raw_context& in, const std::string& address)
    : control_(in, address) {
  wire::batch out(wire::plane::control);
  wire::hello hello;
  hello.node = "raw";
  hello.time = clock::now().time_since_epoch().count();
  wire::write_hello(out, hello);
  control_.send(out);
  const auto received = control_.receive(30'000);
  if (!received) {
    throw std::runtime_error("no welcome from " + address);
  }
  auto messages = wire::reader::open(*received, wire::plane::control).value();
  wire::message first;
  messages.next(first).value();
  agreed_ = wire::read_welcome(first).value();
}

void raw_session::ping() {
  wire::batch out(wire::plane::control);
  wire::ping what;
  what.time = clock::now().time_since_epoch().count();
  wire::write_ping(out, what);
  control_.send(out);
  while (control_.receive(0)) {
  }
}

wire::batch raw_session::attach() const {
  wire::batch out(wire::plane::data);
  wire::write_attach(out, {agreed_.session, {}});
  return out;
}

namespace {

// The connection, on which `words` were said.
int say(const std::string& address, std::string_view words) {
  const int to = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port =
      htons(static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1))));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Through void*: the cast that sockets have always asked for.
  const void* at = &where;
  if (::connect(to, static_cast<const sockaddr*>(at), sizeof where) != 0) {
    ::close(to);
    throw std::runtime_error("cannot connect to " + address);
  }
  static_cast<void>(::send(to, words.data(), words.size(), MSG_NOSIGNAL));
  return to;
}

}  // namespace

void say_over_tcp(const std::string& address, std::string_view words) {
  const int to = say(address, words);
  // Read what it says, so that it is not reset before it has read us.
  ::shutdown(to, SHUT_WR);
  std::byte some[256];
  pollfd readable{to, POLLIN, 0};
  while (::poll(&readable, 1, 2000) > 0 && ::recv(to, some, sizeof some, 0) > 0) {
  }
  ::close(to);
}

void say_and_leave(const std::string& address, std::string_view words) {
  ::close(say(address, words));
}

std::vector<vector_frame> read_vectors(const std::string& path) {
  std::vector<vector_frame> all;
  std::ifstream file(path);
  std::string name;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("vector: ")) {
      name = line.substr(8);
    } else if (line.starts_with("hex:")) {
      const auto begin = line.find_first_not_of(' ', 4);
      const std::string digits = begin == std::string::npos ? std::string() : line.substr(begin);
      octets frame;
      for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        unsigned value = 0;
        std::from_chars(digits.data() + i, digits.data() + i + 2, value, 16);
        frame.push_back(static_cast<std::byte>(value));
      }
      const bool data = frame.size() > 3 && frame[3] == static_cast<std::byte>(wire::plane::data);
      all.push_back({name, std::move(frame), data ? wire::plane::data : wire::plane::control});
    }
  }
  return all;
}

}  // namespace mailroom::tests
