#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/rpc/support/waiting.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <string>
#include <vector>

// A server that takes calls slowly slows those who send them.

namespace mailroom::tests::credits_test {
namespace {

// A caller whose server is the test.
struct calling {
  calling(std::uint32_t messages, std::uint64_t bytes, std::size_t backlog = 1U << 20U)
      : front("front", {.outgoing = {.backlog = backlog}}) {
    rpc::connector::session_info agreed;
    agreed.address = "control://server";
    agreed.data = {"data://server"};
    agreed.in_flight = messages;
    agreed.credit_bytes = bytes;
    agreed.topics.push_back({"mailroom", "waiting", 0});
    front.on_loop([&] {
      front.connector().open_session(over, std::move(agreed), {});
      over.links.back()->attach();
    });
  }
  ~calling() { front.close(); }

  result<void> cast(std::size_t length = 10) {
    return front.client({.topic = "waiting"}).cast("repeat", std::string(length, 'x'));
  }
  std::size_t casts_seen() {
    std::size_t seen = 0;
    for (int pass = 0; pass < 3; ++pass) {
      front.on_loop([&] {
        seen = 0;
        for (const auto& frame : over.links[0]->link.sent) {
          auto messages = wire::reader::open(frame.bytes(), wire::plane::data).value();
          wire::message one;
          while (messages.next(one).value()) {
            seen += one.what == wire::kind::cast ? 1U : 0U;
          }
        }
      });
    }
    return seen;
  }
  void give(std::uint32_t messages, std::uint64_t bytes) {
    wire::batch batch(wire::plane::data);
    wire::write_credit(batch, {messages, bytes});
    front.on_loop([&] { over.links[0]->feed(batch.take()); });
  }

  fake_transport over;
  site front;
};

constexpr std::uint64_t plenty = 1U << 30U;

wire::buffer casts(int count) {
  wire::batch batch(wire::plane::data);
  for (int i = 0; i < count; ++i) {
    wire::call_head head;
    head.write(batch.begin(wire::kind::cast, wire::call_head::size));
    wire::pack_arguments(batch.bytes(), std::size_t{3});
    batch.finish();
  }
  return batch.take();
}

struct serving {
  explicit serving(rpc::caller::limits bounds) : back("back", {.bounds = bounds}) {
    back.serve({.topic = "waiting"}, waiting::described(std::make_shared<waiting_room>()));
  }
  site back;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_credits)

BOOST_AUTO_TEST_CASE(a_caller_sends_what_it_has_credit_for_and_goes_on_when_it_gets_more) {
  calling s(3, plenty);
  for (int i = 0; i < 10; ++i) {
    s.cast().value();
    s.front.on_loop([] {});  // Each in a frame of its own.
  }
  BOOST_TEST(s.casts_seen() == 3U);
  s.give(1, 100);
  // What was pending has become one frame, which is begun as a whole and owes the rest.
  BOOST_TEST(s.casts_seen() == 10U);
  s.cast().value();
  BOOST_TEST(s.casts_seen() == 10U);
  s.give(7, 700);
  BOOST_TEST(s.casts_seen() == 11U);
}

BOOST_AUTO_TEST_CASE(bytes_are_counted_too) {
  calling s(1000, 100);
  s.cast(200).value();
  s.front.on_loop([] {});
  s.cast(200).value();
  BOOST_TEST(s.casts_seen() == 1U);
  s.give(1, 500);
  BOOST_TEST(s.casts_seen() == 2U);
}

BOOST_AUTO_TEST_CASE(without_credit_calls_wait_up_to_the_bound_and_then_it_is_busy) {
  calling s(1, plenty, 10'000);
  result<void> outcome;
  int accepted = 0;
  while ((outcome = s.cast(1000)) && accepted < 100) {
    ++accepted;
  }
  BOOST_TEST((outcome.error() == errc::busy));
  BOOST_TEST(accepted >= 10);
  BOOST_TEST(s.casts_seen() == 1U);
}

BOOST_AUTO_TEST_CASE(a_server_gives_credit_back_when_calls_have_their_place) {
  serving s({.in_flight = 100});
  fake_peer peer(s.back);
  peer.attach(true);
  peer.declare(0, "waiting", "repeat");
  peer.feed(casts(49));
  BOOST_TEST(peer.credit().messages == 0U);
  peer.feed(casts(1));
  BOOST_TEST(peer.credit().messages == 50U);
  BOOST_TEST(peer.credit().bytes == 50U * (8 + 24 + 2));
  for (int i = 0; i < 100; ++i) {
    peer.feed(casts(60));
  }
  BOOST_TEST(!peer.closed());
}

BOOST_AUTO_TEST_CASE(a_small_window_loses_nothing) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      pair nodes(policy, {.in_flight = 8, .credit_bytes = 300});
      nodes.back.serve({.topic = "waiting"}, waiting::described(std::make_shared<waiting_room>()));
      nodes.connect();
      const auto to = nodes.client({.topic = "waiting"});
      for (int i = 0; i < 500; ++i) {
        BOOST_TEST(to.call<std::string>("repeat", std::size_t{20}).value().size() == 20U);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::credits_test
