#include <mailroom/tests/framework/directory/support.hpp>

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/directory/departed_nodes.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mailroom::tests::departed_nodes_test {

using namespace std::chrono_literals;
using directory::departed_nodes;

namespace {

directory::farewell leaves(int number, std::int64_t handled, const std::string& address = "here") {
  return {
      identity(number), "node-" + std::to_string(number), address, {{}, {{"handled", handled}}}};
}

names who(const departed_nodes& of) {
  names all;
  for (const auto& each : of.list(time_point(10s)).nodes) {
    all.push_back(each.last.node + (each.lapsed ? " lapsed" : ""));
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_departed_nodes)

BOOST_AUTO_TEST_CASE(keeps_what_they_counted) {
  directory::departed_nodes gone;
  gone.left(leaves(1, 7), time_point(2s));
  const auto told = gone.list(time_point(5s));
  BOOST_TEST_REQUIRE(told.nodes.size() == 1U);
  BOOST_TEST(told.nodes[0].last.counted.in.at("handled") == 7);
  BOOST_TEST(told.nodes[0].age_ms == 3000U);
  BOOST_TEST(!told.nodes[0].lapsed);
}

BOOST_AUTO_TEST_CASE(who_went_without_a_word_is_known_for_it) {
  directory::departed_nodes gone;
  gone.lapsed(node_at("here", 1, {}), time_point(2s));
  BOOST_TEST(who(gone) == names{"node-1 lapsed"});
}

BOOST_AUTO_TEST_CASE(who_was_only_silent_has_not_left) {
  directory::departed_nodes gone;
  gone.lapsed(node_at("here", 1, {}), time_point(2s));
  gone.lapsed(node_at("there", 2, {}), time_point(2s));
  gone.returned(identity(1));
  BOOST_TEST(who(gone) == names{"node-2 lapsed"});
}

BOOST_AUTO_TEST_CASE(a_last_word_that_comes_late_is_heard) {
  directory::departed_nodes gone;
  gone.lapsed(node_at("here", 1, {}), time_point(2s));
  gone.left(leaves(1, 7), time_point(3s));
  BOOST_TEST(who(gone) == names{"node-1"});
}

BOOST_AUTO_TEST_CASE(a_client_is_told_of_if_it_has_called) {
  directory::departed_nodes gone;
  gone.left(leaves(1, 0, ""), time_point(2s));
  gone.left(leaves(2, 1, ""), time_point(2s));
  gone.left(leaves(3, 0), time_point(2s));
  BOOST_TEST(who(gone) == (names{"node-2", "node-3"}));
}

BOOST_AUTO_TEST_CASE(of_those_long_gone_it_keeps_the_sum) {
  directory::departed_nodes gone;
  wire::identity each{};
  for (std::uint32_t i = 0; i < departed_nodes::most + 10; ++i) {
    each[0] = static_cast<std::byte>(i & 255U);
    each[1] = static_cast<std::byte>(i >> 8U);
    gone.left({each, "node", "here", {{{"sent", 2}}, {{"handled", 1}}}}, time_point(2s));
  }
  const auto told = gone.list(time_point(5s));
  BOOST_TEST(told.nodes.size() == departed_nodes::most);
  BOOST_TEST(told.earlier.left == 10U);
  BOOST_TEST(told.earlier.counted.out.at("sent") == 20);
  BOOST_TEST(told.earlier.counted.in.at("handled") == 10);
}

BOOST_AUTO_TEST_CASE(what_strangers_say_neither_piles_up_nor_overflows) {
  directory::departed_nodes gone;
  wire::identity each{};
  for (std::uint32_t i = 0; i < departed_nodes::most + 100; ++i) {
    each[0] = static_cast<std::byte>(i & 255U);
    each[1] = static_cast<std::byte>(i >> 8U);
    gone.left({each, "node", "here", {{{"sent", INT64_MAX}}, {{"state-" + std::to_string(i), 1}}}},
              time_point(2s));
  }
  BOOST_TEST(gone.list(time_point(5s)).earlier.counted.in.size() == ledger::most_names);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(directory_farewell)

BOOST_AUTO_TEST_CASE(is_read_as_it_was_written) {
  wire::buffer written;
  directory::write(written, leaves(1, -7));
  const auto read = directory::read_farewell(written.bytes());
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST((read->incarnation == identity(1)));
  BOOST_TEST(read->counted.in.at("handled") == -7);
}

BOOST_AUTO_TEST_CASE(names_states_by_short_names) {
  auto last = leaves(1, 1);
  last.counted.out[std::string(65, 'a')] = 1;
  wire::buffer written;
  directory::write(written, last);
  BOOST_TEST((directory::read_farewell(written.bytes()).error() == errc::invalid_arguments));
}

BOOST_AUTO_TEST_CASE(names_no_more_states_than_there_can_be) {
  auto last = leaves(1, 1);
  for (int i = 0; i < 40; ++i) {
    last.counted.out["state-" + std::to_string(i)] = 1;
  }
  wire::buffer written;
  directory::write(written, last);
  BOOST_TEST((directory::read_farewell(written.bytes()).error() == errc::invalid_arguments));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::departed_nodes_test
