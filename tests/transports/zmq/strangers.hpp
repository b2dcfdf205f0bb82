#pragma once

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::tests {

/// tests/transports/zmq/peer.cpp as a process.
class peer_process {
 public:
  explicit peer_process(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PEER_PROGRAM);
    std::vector<char*> argv;
    for (auto& one : arguments) {
      argv.push_back(one.data());
    }
    argv.push_back(nullptr);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    BOOST_REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    BOOST_REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    BOOST_REQUIRE(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    stdin_ = in[1];
    stdout_ = ::fdopen(out[0], "r");
  }

  ~peer_process() {
    kill();
    ::close(stdin_);
    std::fclose(stdout_);
  }

  /// Blocks until it is there; the time limit of the test is the bound.
  std::string line() {
    std::array<char, 512> text{};
    if (std::fgets(text.data(), static_cast<int>(text.size()), stdout_) == nullptr) {
      return {};
    }
    std::string read = text.data();
    return read.substr(0, read.find('\n'));
  }

  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    }
  }

 private:
  pid_t pid_ = -1;
  int stdin_ = -1;
  FILE* stdout_ = nullptr;
};

/// A bare TCP connection.
class plain {
 public:
  plain(const plain&) = delete;
  plain& operator=(const plain&) = delete;
  explicit plain(const std::string& address) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval bound{20, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    BOOST_REQUIRE(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~plain() { ::close(descriptor_); }

  void say(std::string_view bytes) {
    BOOST_TEST(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size()));
  }

  /// Reads until the other side closes; false if it does not.
  bool hears_the_end() {
    std::array<char, 1024> ignored{};
    ssize_t got = 1;
    while (got > 0) {
      got = ::recv(descriptor_, ignored.data(), ignored.size(), 0);
    }
    return got == 0 || errno == ECONNRESET;
  }

 private:
  int descriptor_ = -1;
};

/// Accepts one TCP connection after the other and is rude to them.
class plain_server {
 public:
  explicit plain_server(std::string answer) : answer_(std::move(answer)) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    BOOST_REQUIRE(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&at), size) == 0);
    BOOST_REQUIRE(::listen(descriptor_, 5) == 0);
    BOOST_REQUIRE(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    if (!answer_.empty()) {
      thread_ = std::thread([this] {
        const int one = ::accept(descriptor_, nullptr, nullptr);
        ::send(one, answer_.data(), answer_.size(), MSG_NOSIGNAL);
        std::array<char, 256> ignored{};
        while (::recv(one, ignored.data(), ignored.size(), 0) > 0) {
        }
        ::close(one);
      });
    }
  }
  ~plain_server() {
    if (thread_.joinable()) {
      thread_.join();
    }
    ::close(descriptor_);
  }
  const std::string& address() const { return address_; }

 private:
  std::string answer_;
  int descriptor_ = -1;
  std::string address_;
  std::thread thread_;
};

/// A DEALER that is not ours.
class foreign_dealer {
 public:
  explicit foreign_dealer(const std::string& id) : context_(zmq_ctx_new()) {
    socket_ = zmq_socket(context_, ZMQ_DEALER);
    const int linger = 1000;
    const int bound = 20'000;
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &bound, sizeof bound);
    zmq_setsockopt(socket_, ZMQ_ROUTING_ID, id.data(), id.size());
  }
  ~foreign_dealer() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  void connect(const std::string& to) { BOOST_REQUIRE(zmq_connect(socket_, to.c_str()) == 0); }
  void say(const std::string& text, bool more = false) {
    BOOST_REQUIRE(zmq_send(socket_, text.data(), text.size(), more ? ZMQ_SNDMORE : 0) >= 0);
  }
  std::string hear() {
    std::array<char, 100> text{};
    const int got = zmq_recv(socket_, text.data(), text.size(), 0);
    return got < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(got));
  }

 private:
  void* context_;
  void* socket_;
};

}  // namespace mailroom::tests
