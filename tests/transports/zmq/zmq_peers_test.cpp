#include <mailroom/tests/transports/scene.hpp>
#include <mailroom/tests/transports/zmq/strangers.hpp>

#include <mailroom/transports/zmq/zmq_transport.hpp>

#include <sys/resource.h>

#include <ctime>

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

// Those lines had a limit of their own, beside that of the host from which they came.
BOOST_AUTO_TEST_CASE(who_left_before_anybody_looked_counts_as_the_host_that_came_last) {
  stage on;
  std::string peer;
  std::string group;
  on.accepts().prepare = [&](recorder& one) {
    one.when_frame = [&](rpc::link& from, const wire::frame&) {
      peer = from.peer_address();
      group = from.log_group();
    };
  };
  auto& known = on.make_recorder();
  auto& link = on.dial(known);
  BOOST_REQUIRE(known.wait_open());
  on.send(link, 100, 1);
  BOOST_REQUIRE(on.accepts().accepted(0).wait_frames(1));
  BOOST_TEST(group == "127.0.0.1");
  // Whether its descriptor is closed already when its message is read is libzmq's affair.
  constexpr std::size_t attempts = 200;
  for (std::size_t i = 1; i != attempts && !peer.empty(); ++i) {
    on.near_loop().call([&] {
      foreign_dealer hasty(std::to_string(i));
      hasty.connect(on.address());
      hasty.say("and gone");
    });
    BOOST_REQUIRE(on.accepts().accepted(i).wait_frames(1));
    BOOST_REQUIRE(on.accepts().accepted(i).wait_closed());
    BOOST_TEST(group == "127.0.0.1");
  }
  BOOST_TEST(peer.empty());
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
  // Without asking the system again.
  auto& again = on.make_recorder();
  on.dial(again, "tcp://127.0.0.1:1");
  BOOST_TEST(again.wait_closed());
  BOOST_TEST(again.why().message() == here.why().message());
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

// libzmq spun on a queue of connections that it could not accept.
BOOST_AUTO_TEST_CASE(more_connections_than_descriptors_are_turned_away) {
  rlimit before{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = 64;
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  auto server = std::make_unique<peer_process>(std::vector<std::string>{"listen"});
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  const std::string where = server->line();
  {
    std::deque<plain> crowd;
    for (int i = 0; i < 150; ++i) {
      crowd.emplace_back(where);
    }
    const auto began = clock::now();
    BOOST_TEST(crowd.back().hears_the_end());
    BOOST_TEST((clock::now() - began < rpc::transport::limits{}.handshake));
  }
  // When the crowd has gone, there is room; the server may take a moment to notice.
  stage on;
  bool open = false;
  for (int i = 0; i < 100 && !open; ++i) {
    auto& here = on.make_recorder();
    std::promise<bool> opened;
    here.when_open = [&](rpc::link&) { opened.set_value(true); };
    here.when_closed = [&](rpc::link&) {
      if (here.opened() == 0) {
        opened.set_value(false);
      }
    };
    on.dial(here, where);
    open = opened.get_future().get();
  }
  BOOST_TEST(open);
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
