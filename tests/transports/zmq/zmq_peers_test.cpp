#define BOOST_TEST_MODULE zmq_peers

#include <mailroom/tests/transports/scene.hpp>

#include <mailroom/transports/zmq/zmq_transport.hpp>

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
#include <ctime>
#include <thread>

namespace {

using namespace mailroom;
using namespace mailroom::tests;

struct tcp {
  static std::unique_ptr<rpc::transport> make(rpc::transport::limits bounds) {
    return std::make_unique<transports::zmq_transport>(bounds);
  }
  static std::string any_address() { return "tcp://127.0.0.1:0"; }
};

using stage = scene<tcp>;

void echo_all(recorder& one) {
  one.when_frame = [](rpc::link& from, const wire::frame& received) {
    wire::buffer back;
    back.append(received.bytes());
    from.send(back);
  };
}

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

duration cpu_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(zmq_peers)

BOOST_AUTO_TEST_CASE(a_killed_server_is_noticed_at_once) {
  stage on;
  peer_process server({"listen"});
  const std::string where = server.line();
  auto& here = on.make_recorder();
  auto& link = on.dial(here, where);
  BOOST_REQUIRE(here.wait_open());
  on.send(link, 100, 1);
  BOOST_REQUIRE(here.wait_frames(1));
  const auto before = clock::now();
  server.kill();
  BOOST_TEST(here.wait_closed());
  BOOST_TEST((clock::now() - before < 500ms));
  BOOST_TEST((here.why() == errc::lost));
}

BOOST_AUTO_TEST_CASE(a_killed_client_is_noticed_at_once) {
  stage on;
  on.accepts().prepare = echo_all;
  peer_process client({"dial", on.address()});
  BOOST_TEST(client.line() == "open");
  auto& there = on.accepts().accepted(0);
  BOOST_REQUIRE(there.wait_frames(1));
  const auto before = clock::now();
  client.kill();
  BOOST_TEST(there.wait_closed());
  BOOST_TEST((clock::now() - before < 500ms));
  BOOST_TEST((there.why() == errc::lost));
}

BOOST_AUTO_TEST_CASE(a_process_hears_that_its_server_went) {
  auto on = std::make_unique<stage>();
  peer_process client({"dial", on->address()});
  BOOST_TEST(client.line() == "open");
  on->accepts().accepted(0);
  on.reset();
  BOOST_TEST(client.line().starts_with("closed lost"));
}

BOOST_AUTO_TEST_CASE(garbage_disturbs_nobody) {
  stage on;
  on.accepts().prepare = echo_all;
  auto& here = on.make_recorder();
  auto& link = on.dial(here);
  BOOST_REQUIRE(here.wait_open());
  const std::string random = [] {
    std::array<std::byte, 4096> drawn{};
    platform::system().random(drawn);
    return std::string(reinterpret_cast<const char*>(drawn.data()), drawn.size());
  }();
  const std::string_view texts[] = {
      "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl\r\nAccept: */*\r\n\r\n",
      random,
      std::string_view("\xff\0\0\0\0\0\0\0\1\x7f\3\0PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                       64)};
  std::uint32_t number = 0;
  for (const std::string_view text : texts) {
    plain rude(on.address());
    rude.say(text);
    BOOST_TEST(rude.hears_the_end());
    on.send(link, 1000, number++);
    BOOST_TEST(here.wait_frames(number));
  }
  { plain leaves_at_once(on.address()); }
  on.send(link, 1000, number++);
  BOOST_TEST(here.wait_frames(number));
  BOOST_TEST(here.closed() == 0U);
  // Random bytes may begin like a peer of ZMTP 1.0, which has no handshake.
  const auto stats = dynamic_cast<transports::zmq_transport&>(on.near()).stats();
  BOOST_TEST(stats.handshakes_failed >= 2U);
}

BOOST_AUTO_TEST_CASE(an_unfinished_handshake_is_ended) {
  rpc::transport::limits bounds;
  bounds.handshake = 200ms;
  stage on(bounds);
  plain silent(on.address());
  plain halfway(on.address());
  halfway.say(std::string_view("\xff\0\0\0\0\0\0\0\1\x7f", 10));
  const auto before = clock::now();
  BOOST_TEST(silent.hears_the_end());
  BOOST_TEST(halfway.hears_the_end());
  BOOST_TEST((clock::now() - before < 5s));
  BOOST_TEST(on.accepts().size() == 0U);
}

BOOST_AUTO_TEST_CASE(dialling_something_else_ends_with_unreachable) {
  stage on;
  plain_server http(
      "HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\nServer: something else\r\n\r\n");
  auto& here = on.make_recorder();
  on.dial(here, http.address());
  BOOST_TEST(here.wait_closed());
  BOOST_TEST((here.why() == errc::unreachable));
  BOOST_TEST(here.opened() == 0U);
}

BOOST_AUTO_TEST_CASE(dialling_silence_ends_when_patience_does) {
  rpc::transport::limits bounds;
  bounds.dial = 200ms;
  stage on(bounds);
  plain_server silence("");
  auto& here = on.make_recorder();
  const auto before = clock::now();
  on.dial(here, silence.address());
  BOOST_TEST(here.wait_closed());
  BOOST_TEST((here.why() == errc::unreachable));
  BOOST_TEST(here.why().message().find("timed out") != std::string_view::npos);
  BOOST_TEST((clock::now() - before >= 199ms));
}

BOOST_AUTO_TEST_CASE(the_reason_of_a_refusal_is_told) {
  stage on;
  auto& here = on.make_recorder();
  on.dial(here, "tcp://127.0.0.1:1");
  BOOST_TEST(here.wait_closed());
  BOOST_TEST(here.why().message() == "tcp://127.0.0.1:1: Connection refused");
}

BOOST_AUTO_TEST_CASE(names_are_looked_up) {
  stage on;
  auto& here = on.make_recorder();
  on.dial(here, "tcp://localhost" + on.address().substr(on.address().rfind(':')));
  BOOST_TEST(here.wait_open());
  auto& nowhere = on.make_recorder();
  on.dial(nowhere, "tcp://no-such-host.invalid:7001");
  BOOST_TEST(nowhere.wait_closed());
  BOOST_TEST((nowhere.why() == errc::unreachable));
  const auto refused = on.far_loop().call([&] {
    return on.far()
        .listen(on.far_loop().get(), "tcp://no-such-host.invalid:0", on.accepts())
        .error();
  });
  BOOST_TEST((refused == errc::io));
}

BOOST_AUTO_TEST_CASE(a_message_of_several_parts_ends_its_sender_only) {
  stage on;
  on.accepts().prepare = echo_all;
  foreign_dealer good("good");
  foreign_dealer bad("bad");
  good.connect(on.address());
  good.say("one");
  BOOST_TEST(good.hear() == "one");
  bad.connect(on.address());
  bad.say("two");
  BOOST_TEST(bad.hear() == "two");
  bad.say("three", true);
  bad.say("four", true);
  bad.say("five");
  BOOST_TEST(on.accepts().accepted(1).wait_closed());
  BOOST_TEST(on.accepts().accepted(1).frames_seen() == 1U);
  good.say("six");
  BOOST_TEST(good.hear() == "six");
  const auto& zmq = dynamic_cast<transports::zmq_transport&>(on.near());
  BOOST_TEST(zmq.stats().malformed == 1U);
}

BOOST_AUTO_TEST_CASE(a_hundred_idle_links_cost_nothing) {
  stage on;
  on.accepts().prepare = echo_all;
  for (int i = 0; i != 100; ++i) {
    auto& one = on.make_recorder();
    auto& link = on.dial(one);
    BOOST_REQUIRE(one.wait_open());
    on.send(link, 100, 1);
    BOOST_REQUIRE(one.wait_frames(1));
  }
  const auto near_before = on.near_loop().get().stats();
  const auto far_before = on.far_loop().get().stats();
  const auto cpu_before = cpu_time();
  // Not to wait for something: to see that nothing comes.
  std::promise<void> never;
  never.get_future().wait_for(std::chrono::seconds(1));
  BOOST_TEST(on.near_loop().get().stats().passes - near_before.passes <= 3U);
  BOOST_TEST(on.far_loop().get().stats().passes - far_before.passes <= 3U);
  BOOST_TEST((cpu_time() - cpu_before < 20ms));
}

BOOST_AUTO_TEST_SUITE_END()
