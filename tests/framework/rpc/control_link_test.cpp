#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/control_client.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

// What a node that we call may say to us on its control link.

namespace mailroom::tests::control_link_test {
namespace {

const std::string address = "tcp://192.0.2.1:7001";

// A node and the peer that it calls, which is the test.
struct calling {
  explicit calling(rpc::control_client::options with = {}) {
    log::set_level(log::level::error);
    with.address = address;
    with.node = "front";
    front.on_loop([&] {
      front.connector().expect(address);
      client = std::make_unique<rpc::control_client>(
          front.loop(), platform::system(), over, front.connector(), std::move(with));
      client->start();
      control().observer->on_open(control().link);
    });
  }
  ~calling() {
    front.on_loop([this] {
      client->close();
      front.connector().close_session(address, error(errc::lost, "the test is over"));
    });
    front.close();
    client.reset();
  }

  fake_transport::dialled& control() { return *over.links.at(session); }
  fake_transport::dialled& data() { return *over.links.at(session + 1); }

  void say(const std::function<void(wire::batch&)>& write) {
    wire::batch batch(wire::plane::control);
    write(batch);
    front.on_loop([&] { control().feed(batch.take()); });
    front.on_loop([] {});  // What the control thread posts to the loop has run.
  }
  void welcome(wire::welcome what) {
    what.data = {"tcp://192.0.2.1:7002"};
    what.topics = {{"mailroom", "waiting", 0}};
    say([&](wire::batch& into) { wire::write_welcome(into, what); });
  }
  bool closed(const fake_transport::dialled& which) {
    bool is = false;
    front.on_loop([&] { is = which.link.closed; });
    return is;
  }
  void attach() {
    front.on_loop([this] { data().observer->on_open(data().link); });
    attached();
  }
  void attached() {
    front.on_loop([&] { data().say_attached(); });
  }
  /// Answers the call that is out.
  void reply(int value) {
    std::uint64_t id = 0;
    BOOST_TEST_REQUIRE(eventually([&] {
      front.on_loop([&] {
        for (const auto& frame : data().link.sent) {
          auto messages = wire::reader::open(frame.bytes(), wire::plane::data).value();
          wire::message one;
          while (messages.next(one).value()) {
            wire::call_head head;
            if (one.what == wire::kind::call && wire::call_head::read(one.head, head)) {
              id = head.id;
            }
          }
        }
      });
      return id != 0;
    }));
    wire::batch batch(wire::plane::data);
    wire::store(batch.begin(wire::kind::reply, wire::id_head::size), id);
    wire::pack(batch.bytes(), value);
    batch.finish();
    front.on_loop([&] { data().feed(batch.take()); });
  }
  std::future<result<int>> call(const std::string& argument = "x") {
    return front.client({.topic = "waiting"}).future_call<int>("join", argument);
  }

  std::size_t session = 0;  // Where its control link is among all, before that for data.
  fake_transport over;
  site front{"front"};
  std::unique_ptr<rpc::control_client> client;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_control_link)

// Nought means "not told", and was taken for "nothing at all".
BOOST_AUTO_TEST_CASE(makes_calls_although_the_peer_tells_no_limits) {
  calling s;
  s.welcome({});
  s.attach();
  auto got = s.call();
  s.reply(42);
  BOOST_TEST(got.get().value() == 42);
}

// Whoever waited for all addresses to be settled, as a node does when it starts, waited for ever.
BOOST_AUTO_TEST_CASE(does_not_wait_for_ever_for_a_peer_whose_loop_is_stuck) {
  calling s({.hello_timeout = 50ms});
  const auto settled = std::make_shared<tally>();
  s.front.on_loop([&] { s.front.connector().when_settled([settled] { settled->add(); }); });
  s.welcome({});
  s.front.on_loop([&] { s.data().observer->on_open(s.data().link); });
  BOOST_TEST(settled->value() == 0);
  BOOST_TEST(settled->reaches(1));
  const auto refused = s.call().get();
  BOOST_TEST((refused.error() == errc::no_server));
  BOOST_TEST(refused.error().message().find("data link") != std::string::npos);
  // It is up when it answers after all.
  s.attached();
  auto got = s.call();
  s.reply(7);
  BOOST_TEST(got.get().value() == 7);
}

// The peer took it for garbage and ended the session, with all calls that were out.
BOOST_AUTO_TEST_CASE(does_not_ask_what_no_peer_would_read) {
  calling s;
  s.welcome({});
  const auto asked = [&](std::size_t verb, std::size_t arguments) {
    // Who is never answered is told when the client closes.
    const auto told = std::make_shared<errc>(errc::ok);
    const std::vector<std::byte> bytes(arguments, std::byte{0xc0});
    s.front.on_loop([&] {
      s.client->admin(std::string(verb, 'v'), bytes, [told](result<mailroom::bytes> answer) {
        *told = answer ? errc::ok : answer.error().code();
      });
      *told = *told == errc::ok ? errc::busy : *told;  // On its way.
    });
    return *told;
  };
  BOOST_TEST((asked(wire::max_text + 1, 1) == errc::too_large));
  BOOST_TEST((asked(1, wire::max_control_payload) == errc::too_large));
  const auto sent = s.control().link.sent.size();
  BOOST_TEST((asked(wire::max_text, 1) == errc::busy));
  BOOST_TEST(s.control().link.sent.size() == sent + 1);
}

BOOST_AUTO_TEST_CASE(heeds_the_limits_that_the_peer_tells) {
  calling s;
  wire::welcome what;
  what.in_flight = 1;
  what.max_body = 100;
  s.welcome(what);
  s.attach();
  BOOST_TEST((s.call(std::string(100, 'x')).get().error() == errc::too_large));
  auto first = s.call();
  BOOST_TEST((s.call().get().error() == errc::busy));
  s.reply(1);
  BOOST_TEST(first.get().value() == 1);
}

// By that the peer knows that nothing more comes.
BOOST_AUTO_TEST_CASE(closes_the_data_link_of_a_peer_that_goes_away_when_all_is_answered) {
  calling s;
  s.welcome({});
  s.attach();
  auto got = s.call();
  s.say([](wire::batch& into) { wire::write_goaway(into, {"it is old", 1000}); });
  BOOST_TEST(!s.closed(s.data()));
  BOOST_TEST((s.call().get().error() == errc::no_server));
  s.reply(7);
  BOOST_TEST(got.get().value() == 7);
  BOOST_TEST(eventually([&] { return s.closed(s.data()); }));
  // It still says how it does, until it says good-bye.
  BOOST_TEST(!s.closed(s.control()));
  s.say([](wire::batch& into) { wire::write_bye(into); });
  BOOST_TEST(s.closed(s.control()));
}

BOOST_AUTO_TEST_CASE(closes_the_data_link_of_a_peer_that_goes_away_at_once_if_it_owes_nothing) {
  calling s;
  s.welcome({});
  s.attach();
  s.say([](wire::batch& into) { wire::write_goaway(into, {"it is old", 1000}); });
  BOOST_TEST(eventually([&] { return s.closed(s.data()); }));
}

// A node that drained at once had answered, but its data port was closed before that was read.
BOOST_AUTO_TEST_CASE(waits_for_answers_when_its_data_link_has_ended) {
  calling s;
  s.welcome({});
  std::promise<result<bytes>> told;
  s.front.on_loop([&] {
    s.client->admin("drain", {}, [&](result<bytes> answer) { told.set_value(std::move(answer)); });
    s.data().observer->on_closed(s.data().link, error(errc::unreachable, "nobody there"));
  });
  s.front.on_loop([] {});
  s.say([](wire::batch& into) {
    wire::admin_reply reply;
    reply.id = 1;
    const std::byte nil{0xc0};
    reply.value = {&nil, 1};
    wire::write_admin_reply(into, reply);
  });
  BOOST_TEST(told.get_future().get().has_value());
  BOOST_TEST(eventually([&] { return s.closed(s.control()); }));
}

// It stayed until the peer would have been dead, and was not dialled again before.
BOOST_AUTO_TEST_CASE(ends_with_the_data_link_of_a_peer_that_has_said_good_bye) {
  calling s;
  wire::welcome slow;
  slow.heartbeat_ms = 3'600'000;
  slow.dead_after_ms = 3 * slow.heartbeat_ms;
  s.welcome(slow);
  s.attach();
  auto got = s.call();
  s.say([](wire::batch& into) {
    wire::write_goaway(into, {"it is old", 0});
    wire::write_bye(into);
  });
  BOOST_TEST(!s.closed(s.control()));
  s.reply(7);
  BOOST_TEST(got.get().value() == 7);
  BOOST_TEST(eventually([&] { return s.closed(s.control()); }));
}

BOOST_AUTO_TEST_CASE(names_the_nearest_topic_when_nobody_serves_one) {
  calling s;
  s.welcome({});
  s.attach();
  const auto got =
      s.front.client({.topic = "waitin"}).future_call<int>("join", std::string()).get();
  BOOST_TEST((got.error() == errc::no_server));
  BOOST_TEST(got.error().message() == "no server for topic 'waitin' (nearest: waiting)");
}

// At one that died as soon as it had started it was at the shortest pause each time.
BOOST_AUTO_TEST_CASE(waits_longer_and_longer_for_a_peer_that_does_not_last) {
  calling s({.first_pause = 1ms});
  const auto begun = clock::now();
  for (int died = 0; died < 7; ++died) {
    s.welcome({});
    s.attach();
    s.front.on_loop([&] { s.control().observer->on_closed(s.control().link, error(errc::lost)); });
    s.session = s.over.links.size();
    BOOST_TEST_REQUIRE(eventually([&] {
      bool again = false;
      s.front.on_loop([&] {
        again = s.over.links.size() > s.session;
        if (again) {
          s.control().observer->on_open(s.control().link);
        }
      });
      return again;
    }));
  }
  // Half of 1, 2, 4, ... 64 ms at least.
  BOOST_TEST((clock::now() - begun >= 63ms));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::control_link_test
