#include <mailroom/framework/wire/clock_estimate.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <random>
#include <string>

namespace mailroom::tests::control_test {
namespace {

using wire::batch;
using wire::plane;

// Writes with `write`, reads with `read`; false if the reader refuses.
template <class T, class Write, class Read>
bool accepted(const T& what, const Write& write, const Read& read) {
  batch out(plane::control);
  write(out, what);
  const auto frame = out.take();
  auto messages = wire::reader::open(frame.bytes(), plane::control);
  wire::message one;
  BOOST_TEST_REQUIRE((messages && messages->next(one).value_or(false)));
  const auto back = read(one);
  BOOST_TEST((back || back.error() == errc::protocol_error));
  return back.has_value();
}

bool accepted(const wire::hello& what) {
  return accepted(what, wire::write_hello, wire::read_hello);
}
bool accepted(const wire::welcome& what) {
  return accepted(what, wire::write_welcome, wire::read_welcome);
}
bool accepted(const wire::announce& what) {
  return accepted(what, wire::write_announce, wire::read_announce);
}
bool accepted(const wire::goaway& what) {
  return accepted(what, wire::write_goaway, wire::read_goaway);
}
bool accepted(const wire::pong& what) {
  return accepted(what, wire::write_pong, wire::read_pong);
}

constexpr std::int64_t ms = 1'000'000;

}  // namespace

BOOST_AUTO_TEST_SUITE(control_messages)

BOOST_AUTO_TEST_CASE(stay_within_their_limits) {
  wire::hello who;
  who.capabilities.assign(wire::max_capabilities, std::string(wire::max_text, 'c'));
  who.node.assign(wire::max_text, 'n');
  BOOST_TEST(accepted(who));
  who.capabilities.emplace_back();
  BOOST_TEST(!accepted(who));
  who.capabilities.resize(1);
  who.capabilities[0] += "x";
  BOOST_TEST(!accepted(who));
  who.capabilities.clear();
  who.node += "x";
  BOOST_TEST(!accepted(who));

  wire::welcome yes;
  yes.data.assign(wire::max_addresses, "tcp://127.0.0.1:1");
  yes.topics.assign(wire::max_topics, {"mailroom", std::string(200, 't'), 0});
  BOOST_TEST(accepted(yes));
  yes.data.emplace_back();
  BOOST_TEST(!accepted(yes));
  yes.data.clear();
  yes.topics.emplace_back();
  BOOST_TEST(!accepted(yes));

  BOOST_TEST(!accepted(wire::announce{yes.topics}));
  BOOST_TEST(!accepted(wire::announce{{{"mailroom", std::string(wire::max_text + 1, 't'), 0}}}));
  BOOST_TEST(!accepted(wire::announce{{5000, {"", std::string(wire::max_text, 't'), 0}}}));
  BOOST_TEST(!accepted(wire::goaway{std::string(wire::max_text + 1, 'r'), 0}));
  wire::pong here;
  here.loops.resize(wire::max_addresses);
  BOOST_TEST(accepted(here));
  here.loops.emplace_back();
  BOOST_TEST(!accepted(here));
}

// A node with 4097 topics was refused by all its peers.
BOOST_AUTO_TEST_CASE(tell_of_as_many_topics_as_fit) {
  const auto size_alone = [](const wire::topic_home& what) {
    batch out(plane::control);
    wire::write_announce(out, {{what}});
    batch none(plane::control);
    wire::write_announce(none, {});
    return out.size() - none.size();
  };
  for (const std::size_t size : {0U, 31U, 32U, 255U, 256U, 4096U}) {
    const wire::topic_home what{std::string(size, 'e'), std::string(size, 't'), UINT32_MAX};
    BOOST_TEST(wire::size_of(what) >= size_alone(what));
    BOOST_TEST(wire::size_of(what) <= size_alone(what) + 12);
  }
  // The largest welcome that a node may send.
  wire::welcome most;
  most.node.assign(wire::max_text, 'n');
  most.data.assign(wire::max_addresses, std::string(wire::max_text, 'a'));
  std::size_t left = wire::max_topics_size;
  const wire::topic_home one{"mailroom", std::string(180, 't'), UINT32_MAX};
  while (left >= wire::size_of(one) && most.topics.size() < wire::max_topics) {
    most.topics.push_back(one);
    left -= wire::size_of(one);
  }
  BOOST_TEST(most.topics.size() > 60'000U);
  BOOST_TEST(left < 1000U);
  BOOST_TEST(accepted(most));
}

BOOST_AUTO_TEST_CASE(agree_on_the_highest_common_version) {
  wire::hello theirs;
  theirs.min = 1;
  theirs.max = 200;
  BOOST_TEST((wire::common_version(theirs) == 1));
  theirs.min = 2;
  BOOST_TEST(!wire::common_version(theirs).has_value());
  theirs.min = theirs.max = 0;
  BOOST_TEST(!wire::common_version(theirs).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(clock_estimate)

BOOST_AUTO_TEST_CASE(knows_nothing_before_the_first_exchange) {
  BOOST_TEST(!wire::clock_estimate().at(0).has_value());
}

BOOST_AUTO_TEST_CASE(finds_the_offset_of_a_symmetric_exchange) {
  wire::clock_estimate clock;
  // Peer is 100 ms ahead, 3 ms each way, 1 ms at the peer.
  BOOST_TEST(clock.feed(1000 * ms, 1103 * ms, 1104 * ms, 1007 * ms));
  const auto found = clock.at(1007 * ms);
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->offset == 100 * ms);
  BOOST_TEST(found->error == 3 * ms);
}

BOOST_AUTO_TEST_CASE(never_claims_more_than_it_knows) {
  std::mt19937_64 random(3);  // NOLINT(bugprone-random-generator-seed): the same every time.
  wire::clock_estimate clock;
  const std::int64_t offset = -7'123'456'789;
  std::int64_t now = 5'000 * ms;
  for (int i = 0; i < 20'000; ++i) {
    const auto out =
        static_cast<std::int64_t>(random() % 1000 == 0 ? random() % 50'000'000 : random() % 90'000);
    const auto home = static_cast<std::int64_t>(random() % 200'000);
    const auto busy = static_cast<std::int64_t>(random() % 500'000);
    BOOST_TEST_REQUIRE(
        clock.feed(now, now + out + offset, now + out + busy + offset, now + out + busy + home));
    now += out + busy + home;
    const auto found = clock.at(now);
    BOOST_TEST_REQUIRE(std::abs(found->offset - offset) <= found->error);
    now += static_cast<std::int64_t>(random() % 100'000'000);
  }
}

BOOST_AUTO_TEST_CASE(prefers_the_shortest_round_trip) {
  wire::clock_estimate clock;
  clock.feed(0, 10, 10, 20);
  clock.feed(100, 5000, 5000, 600);  // Worse: ignored.
  BOOST_TEST(clock.at(600)->offset == 0);
  BOOST_TEST(clock.at(600)->error == 10);
  clock.feed(700, 703, 703, 704);  // Better.
  BOOST_TEST(clock.at(704)->offset == 1);
}

BOOST_AUTO_TEST_CASE(follows_clocks_that_drift_apart) {
  // 100 ppm, a ping a second, for an hour; round trips of 0.2 to 0.4 ms.
  wire::clock_estimate clock;
  std::int64_t worst = 0;
  for (std::int64_t second = 0; second < 3600; ++second) {
    const std::int64_t now = second * 1000 * ms;
    const std::int64_t offset = now / 10'000;
    const std::int64_t way = 100'000 + (second * 37 % 100) * 1000;
    clock.feed(now, now + way + offset, now + way + offset, now + 2 * way);
    const auto found = *clock.at(now + 2 * way);
    BOOST_TEST_REQUIRE(std::abs(found.offset - offset) <= found.error);
    worst = std::max(worst, found.error);
  }
  BOOST_TEST(worst < ms);
}

BOOST_AUTO_TEST_CASE(ignores_exchanges_that_cannot_be) {
  wire::clock_estimate clock;
  BOOST_TEST(!clock.feed(10, 0, 0, 9));   // Came back before it left.
  BOOST_TEST(!clock.feed(0, 10, 9, 20));  // Answered before it was received.
  BOOST_TEST(!clock.feed(0, 0, 30, 20));  // Longer there than it was away.
  for (const auto wild : {INT64_MAX, INT64_MIN}) {
    BOOST_TEST(!clock.feed(wild, 0, 0, 0));
    BOOST_TEST(!clock.feed(0, wild, wild, 0));
    BOOST_TEST(!clock.feed(0, 0, 0, wild));
  }
  BOOST_TEST(!clock.at(0).has_value());
  BOOST_TEST(clock.feed(0, 5, 5, 10));
  BOOST_TEST(clock.at(INT64_MAX)->error >= 5);
}

BOOST_AUTO_TEST_CASE(converts_deadlines_in_the_callers_favour) {
  using wire::receiver_deadline;
  BOOST_TEST(receiver_deadline(1000, {50, 7}) == 1057);
  BOOST_TEST(receiver_deadline(1000, {-2000, 7}) == -993);
  BOOST_TEST(receiver_deadline(INT64_MAX, {-2000, 7}) == INT64_MAX);  // None stays none.
  BOOST_TEST(receiver_deadline(INT64_MAX - 1, {2000, 7}) == INT64_MAX);
  BOOST_TEST(receiver_deadline(INT64_MIN, {-1, 0}) == INT64_MIN);
  BOOST_TEST(receiver_deadline(0, {INT64_MAX, INT64_MAX}) == INT64_MAX);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::control_test
