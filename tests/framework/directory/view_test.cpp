#include <mailroom/tests/framework/directory/support.hpp>

#include <mailroom/framework/directory/view.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace mailroom::tests::directory_view_test {
namespace {

using directory::departure;
using directory::news;
using directory::registration;

constexpr time_point now{1h};

news joins(std::vector<registration> who) {
  news told;
  told.joined = std::move(who);
  return told;
}

news all_there_is(std::vector<registration> who, std::uint32_t settling_ms = 0) {
  news told = joins(std::move(who));
  told.complete = true;
  told.settling_ms = settling_ms;
  return told;
}

news leaves(departure who) {
  news told;
  told.left = {std::move(who)};
  return told;
}

names there(const directory::view& of) {
  names all;
  for (const auto& [address, each] : of.all()) {
    all.push_back(address);
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_view)

BOOST_AUTO_TEST_CASE(has_each_node_once_whoever_tells_of_it) {
  directory::view v;
  v.tell("a", all_there_is({node_at("tcp://x:1", 1, {topic("t")})}), now);
  v.tell(
      "b", all_there_is({node_at("tcp://x:1", 1, {topic("t")}), node_at("tcp://y:1", 2, {})}), now);
  BOOST_TEST(there(v) == (names{"tcp://x:1", "tcp://y:1"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(keeps_a_node_while_one_of_the_directories_has_it) {
  directory::view v;
  v.tell("a", all_there_is({node_at("tcp://x:1", 1, {topic("t")})}), now);
  v.tell("b", all_there_is({node_at("tcp://x:1", 1, {topic("t")})}), now);
  v.tell("a", leaves({"tcp://x:1", identity(1), true}), now);
  BOOST_TEST(there(v).size() == 1U);
  v.tell("b", leaves({"tcp://x:1", identity(1), true}), now);
  BOOST_TEST(there(v).empty());
  // A lease that ran out may be taken up again.
  v.tell("a", joins({node_at("tcp://x:1", 1, {topic("t")})}), now);
  BOOST_TEST(there(v).size() == 1U);
}

BOOST_AUTO_TEST_CASE(believes_a_node_that_says_it_leaves_whatever_others_still_say) {
  directory::view v;
  v.tell("a", all_there_is({node_at("tcp://x:1", 1, {topic("t")})}), now);
  v.tell("b", all_there_is({node_at("tcp://x:1", 1, {topic("t")})}), now);
  v.tell("a", leaves({"tcp://x:1", identity(1), false}), now);
  BOOST_TEST(there(v).empty());
  v.tell("b", joins({node_at("tcp://x:1", 1, {topic("t"), topic("u")})}), now);
  BOOST_TEST(there(v).empty());
  v.tell("b", joins({node_at("tcp://x:1", 2, {topic("t")}, 2)}), now);
  BOOST_TEST(there(v).size() == 1U);
}

BOOST_AUTO_TEST_CASE(believes_a_directory_that_has_a_node_again_after_it_left) {
  directory::view v;
  const auto there_again = joins({node_at("tcp://x:1", 1, {topic("t")})});
  v.tell("a", there_again, now);
  v.tell("b", there_again, now);
  v.tell("a", leaves({"tcp://x:1", identity(1), false}), now);
  v.tell("b", there_again, now);
  BOOST_TEST(there(v).empty());
  v.tell("a", there_again, now);
  BOOST_TEST(there(v).size() == 1U);
}

BOOST_AUTO_TEST_CASE(has_the_newest_incarnation_at_an_address) {
  for (const bool new_first : {true, false}) {
    directory::view v;
    const auto before = joins({node_at("tcp://x:1", 1, {topic("t")}, 1000)});
    const auto after = joins({node_at("tcp://x:1", 2, {topic("t")}, 2000)});
    v.tell(new_first ? "a" : "b", after, now);
    v.tell(new_first ? "b" : "a", before, now);
    BOOST_TEST_REQUIRE(there(v).size() == 1U);
    BOOST_TEST((v.all().begin()->second.incarnation == identity(2)));
  }
}

BOOST_AUTO_TEST_CASE(has_a_process_that_is_reached_in_two_ways_once) {
  directory::view v;
  v.tell("a", joins({node_at("tcp://10.1.0.1:1", 1, {topic("t")})}), now);
  v.tell("b", joins({node_at("tcp://10.0.0.1:1", 1, {topic("u")})}), now);
  BOOST_TEST(there(v) == names{"tcp://10.0.0.1:1"}, boost::test_tools::per_element());
  BOOST_TEST(v.all().begin()->second.topics.size() == 2U);
}

// Who asked a directory on the same machine told all others to look for it on theirs.
BOOST_AUTO_TEST_CASE(has_it_where_others_reach_it_rather_than_on_its_own_machine) {
  for (const auto* near :
       {"tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://169.254.0.1:1", "ipc:///x"}) {
    for (const auto* far : {"tcp://192.0.2.1:1", "tcp://a.example:1"}) {
      directory::view v;
      v.tell("a", joins({node_at(near, 1, {topic("t")})}), now);
      v.tell("b", joins({node_at(far, 1, {topic("t")})}), now);
      BOOST_TEST(there(v) == names{far}, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(takes_it_for_draining_when_one_directory_says_so) {
  directory::view v;
  auto drains = node_at("tcp://x:1", 1, {topic("t")});
  v.tell("a", joins({drains}), now);
  drains.draining = true;
  v.tell("b", joins({drains}), now);
  BOOST_TEST(v.all().begin()->second.draining);
}

// All of a deployment was forgotten when its directory came back, with all its callers waiting.
BOOST_AUTO_TEST_CASE(keeps_what_it_knew_while_a_directory_that_began_anew_settles) {
  directory::view v;
  v.tell(
      "a",
      all_there_is({node_at("tcp://x:1", 1, {topic("t")}), node_at("tcp://y:1", 2, {topic("t")})}),
      now);
  v.tell("a", all_there_is({}, 1500), now);
  BOOST_TEST(there(v).size() == 2U);
  BOOST_TEST((v.next_end() == now + 1500ms));
  v.tell("a", joins({node_at("tcp://y:1", 2, {topic("t")})}), now + 1s);
  BOOST_TEST(!v.expire(now + 1s));
  BOOST_TEST(v.expire(now + 1500ms));
  BOOST_TEST(there(v) == names{"tcp://y:1"}, boost::test_tools::per_element());
  BOOST_TEST((v.next_end() == time_point::max()));
  // One that has been there for long is believed at once.
  v.tell("a", all_there_is({}), now + 2s);
  BOOST_TEST(there(v).empty());
}

BOOST_AUTO_TEST_CASE(adds_what_is_configured_to_what_is_registered) {
  directory::view v;
  auto configured = node_at("tcp://x:1", 0, {topic("t")}, 0);
  auto also = node_at("tcp://y:1", 0, {topic("t")}, 0);
  v.tell("static", all_there_is({configured, also}), now);
  v.tell("a", joins({node_at("tcp://x:1", 1, {topic("u")})}), now);
  BOOST_TEST(there(v) == (names{"tcp://x:1", "tcp://y:1"}), boost::test_tools::per_element());
  BOOST_TEST((v.all().begin()->second.incarnation == identity(1)));
  BOOST_TEST(v.all().begin()->second.topics.size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::directory_view_test
