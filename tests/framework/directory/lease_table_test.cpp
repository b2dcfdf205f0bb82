#include <mailroom/tests/framework/directory/support.hpp>

#include <mailroom/framework/directory/lease_table.hpp>
#include <mailroom/framework/directory/watch_list.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace mailroom::tests::directory_lease_table_test {
namespace {

using directory::departure;
using directory::lease_table;
using directory::news;
using entry = directory::lease_table::entry;

// A directory and its clock, which is the test.
struct serving {
  explicit serving(lease_table::options with = {})
      : table(identity(100), now, with), watches(table) {
    pass(2s);  // It is settled.
  }

  /// Time passes; the directory looks as often as it should.
  void pass(duration length) {
    for (const time_point until = now + length; now < until;) {
      now = std::min(until, now + 100ms);
      if (now >= table.next_look()) {
        table.expire(now);
      }
    }
    watches.look(table.take_touched(), now);
  }
  entry enter(directory::registration what) { return table.enter(std::move(what), now); }
  news ask(const directory::question& what) { return table.answer(what, now); }
  void look() { watches.look(table.take_touched(), now); }

  time_point now{1h};
  lease_table table;
  directory::watch_list watches;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_lease_table)

BOOST_AUTO_TEST_CASE(tells_who_serves_what_is_asked_for_and_nothing_else) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("compute"), topic("volume")}));
  s.enter(node_at("tcp://b:1", 2, {topic("compute_x")}));
  s.enter(node_at("tcp://c:1", 3, {{"other", "compute"}}));
  const auto told = s.ask(about({topic("compute")}));
  BOOST_TEST(told.complete);
  BOOST_TEST(addresses(told) == names{"tcp://a:1"}, boost::test_tools::per_element());
  BOOST_TEST(told.joined.front().topics.size() == 1U);
  BOOST_TEST(told.joined.front().topics.front() == topic("compute"));
  BOOST_TEST(s.ask(about({topic("comp")})).joined.empty());
}

BOOST_AUTO_TEST_CASE(tells_everything_to_who_asks_for_all) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("compute"), topic("volume")}));
  s.enter(node_at("tcp://b:1", 2, {}));
  directory::question all;
  all.all = true;
  const auto told = s.ask(all);
  BOOST_TEST(addresses(told) == (names{"tcp://a:1", "tcp://b:1"}),
             boost::test_tools::per_element());
  BOOST_TEST(told.joined.front().topics.size() == 2U);
}

BOOST_AUTO_TEST_CASE(tells_only_what_is_new_since_the_revision) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("t")}));
  auto told = s.ask(about({topic("t")}));
  BOOST_TEST(s.ask(after(told, {topic("t")})).is_empty());
  s.enter(node_at("tcp://b:1", 2, {topic("t")}));
  s.enter(node_at("tcp://c:1", 3, {topic("u")}));
  told = s.ask(after(told, {topic("t")}));
  BOOST_TEST(!told.complete);
  BOOST_TEST(addresses(told) == names{"tcp://b:1"}, boost::test_tools::per_element());
  s.table.leave(identity(1));
  told = s.ask(after(told, {topic("t")}));
  BOOST_TEST(told.joined.empty());
  BOOST_TEST_REQUIRE(told.left.size() == 1U);
  BOOST_TEST((told.left.front() == departure{"tcp://a:1", identity(1), false}));
  BOOST_TEST(s.ask(after(told, {topic("t")})).is_empty());
}

BOOST_AUTO_TEST_CASE(takes_a_renewal_that_changes_nothing_for_no_news) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("t")}));
  const auto before = s.table.revision();
  BOOST_TEST((s.enter(node_at("tcp://a:1", 1, {topic("t")})) == entry::accepted));
  BOOST_TEST(s.table.renew(identity(1), s.now));
  BOOST_TEST(s.table.revision() == before);
  auto draining = node_at("tcp://a:1", 1, {topic("t")});
  draining.draining = true;
  s.enter(draining);
  BOOST_TEST(s.table.revision() == before + 1);
}

BOOST_AUTO_TEST_CASE(ends_a_lease_after_three_periods_and_not_before) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("t")}));
  const auto told = s.ask(about({topic("t")}));
  s.pass(2s);
  BOOST_TEST(s.table.renew(identity(1), s.now));
  s.pass(2900ms);
  BOOST_TEST(s.table.size() == 1U);
  s.pass(100ms);
  BOOST_TEST(s.table.size() == 0U);
  BOOST_TEST(!s.table.renew(identity(1), s.now));
  const auto then = s.ask(after(told, {topic("t")}));
  BOOST_TEST_REQUIRE(then.left.size() == 1U);
  BOOST_TEST(then.left.front().lapsed);
  // It may come back.
  BOOST_TEST((s.enter(node_at("tcp://a:1", 1, {topic("t")})) == entry::accepted));
  const auto again = s.ask(after(told, {topic("t")}));
  BOOST_TEST(again.left.size() == 1U);
  BOOST_TEST(addresses(again) == names{"tcp://a:1"}, boost::test_tools::per_element());
}

// A directory that was stopped found, when it went on, that nobody had renewed.
BOOST_AUTO_TEST_CASE(does_not_take_its_own_pause_for_the_silence_of_others) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("t")}));
  s.pass(500ms);
  s.now += 1min;
  s.table.expire(s.now);
  BOOST_TEST(s.table.size() == 1U);
  s.pass(3s);
  BOOST_TEST(s.table.size() == 0U);
}

BOOST_AUTO_TEST_CASE(fences_an_incarnation_that_is_older_than_the_one_at_its_address) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("t")}, 1000));
  const auto told = s.ask(about({topic("t")}));
  // The one before was killed and started again; nobody waits for its lease to end.
  BOOST_TEST((s.enter(node_at("tcp://a:1", 2, {topic("t")}, 2000)) == entry::accepted));
  BOOST_TEST(s.table.size() == 1U);
  const auto then = s.ask(after(told, {topic("t")}));
  BOOST_TEST_REQUIRE(then.left.size() == 1U);
  BOOST_TEST((then.left.front() == departure{"tcp://a:1", identity(1), false}));
  BOOST_TEST((then.joined.front().incarnation == identity(2)));
  // And this is one that was only asleep.
  BOOST_TEST(!s.table.renew(identity(1), s.now));
  BOOST_TEST((s.enter(node_at("tcp://a:1", 1, {topic("t")}, 1000)) == entry::fenced));
  BOOST_TEST((s.ask(about({topic("t")})).joined.front().incarnation == identity(2)));
}

BOOST_AUTO_TEST_CASE(tells_those_who_asked_for_what_is_no_longer_served) {
  serving s;
  s.enter(node_at("tcp://a:1", 1, {topic("t"), topic("u")}));
  const auto told = s.ask(about({topic("t")}));
  s.enter(node_at("tcp://a:1", 1, {topic("u")}));
  const auto then = s.ask(after(told, {topic("t")}));
  BOOST_TEST_REQUIRE(then.joined.size() == 1U);
  BOOST_TEST(then.joined.front().topics.empty());
  // A new incarnation serves something else.
  s.enter(node_at("tcp://a:1", 2, {topic("v")}, 2));
  BOOST_TEST(s.ask(after(then, {topic("t")})).left.size() == 1U);
}

BOOST_AUTO_TEST_CASE(tells_everything_to_who_knows_another_directory_or_too_old_a_revision) {
  serving s({.kept_departures = 2});
  s.enter(node_at("tcp://a:1", 1, {topic("t")}));
  auto told = s.ask(about({topic("t")}));
  auto other = after(told, {topic("t")});
  other.epoch = identity(7);
  BOOST_TEST(s.ask(other).complete);
  BOOST_TEST(s.ask(other).joined.size() == 1U);
  for (int i = 2; i < 5; ++i) {
    s.enter(node_at("tcp://b:" + std::to_string(i), i, {topic("t")}));
    s.table.leave(identity(i));
  }
  const auto then = s.ask(after(told, {topic("t")}));
  BOOST_TEST(then.complete);
  BOOST_TEST(then.left.empty());
  BOOST_TEST(addresses(then) == names{"tcp://a:1"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(says_while_it_is_young_that_others_may_be_on_their_way) {
  const time_point begun{1h};
  lease_table table(identity(1), begun, {});
  BOOST_TEST(table.answer(about({topic("t")}), begun).settling_ms == 1500U);
  BOOST_TEST(table.answer(about({topic("t")}), begun + 1s).settling_ms == 500U);
  BOOST_TEST(table.answer(about({topic("t")}), begun + 1500ms).settling_ms == 0U);
}

BOOST_AUTO_TEST_CASE(has_a_bound) {
  serving s({.most = 2});
  BOOST_TEST((s.enter(node_at("tcp://a:1", 1, {})) == entry::accepted));
  BOOST_TEST((s.enter(node_at("tcp://b:1", 2, {})) == entry::accepted));
  BOOST_TEST((s.enter(node_at("tcp://c:1", 3, {})) == entry::full));
  BOOST_TEST((s.enter(node_at("tcp://b:1", 4, {}, 2)) == entry::accepted));
}

BOOST_AUTO_TEST_CASE(knows_a_process_at_one_address_only) {
  serving s;
  s.enter(node_at("tcp://10.0.0.1:1", 1, {topic("t")}));
  s.enter(node_at("tcp://10.1.0.1:1", 1, {topic("t")}));
  const auto told = s.ask(about({topic("t")}));
  BOOST_TEST(addresses(told) == names{"tcp://10.1.0.1:1"}, boost::test_tools::per_element());
  // Nobody may think that it left.
  s.enter(node_at("tcp://10.0.0.1:1", 1, {topic("t")}));
  BOOST_TEST(s.ask(after(told, {topic("t")})).left.at(0).lapsed);
}

// ---------------------------------------------------------------- questions that wait

BOOST_AUTO_TEST_CASE(answers_those_who_wait_for_what_has_happened_and_nobody_else) {
  serving s;
  int of_t = 0;
  int of_u = 0;
  const auto known = s.ask(about({topic("t"), topic("u")}));
  s.watches.ask(after(known, {topic("t")}), s.now, [&](const news& told) {
    ++of_t;
    BOOST_TEST(addresses(told) == names{"tcp://a:1"}, boost::test_tools::per_element());
  });
  s.watches.ask(after(known, {topic("u")}), s.now, [&](const news&) { ++of_u; });
  s.look();
  BOOST_TEST(of_t == 0);
  s.enter(node_at("tcp://a:1", 1, {topic("t")}));
  s.look();
  BOOST_TEST(of_t == 1);
  BOOST_TEST(of_u == 0);
  BOOST_TEST(s.watches.size() == 1U);
}

BOOST_AUTO_TEST_CASE(answers_with_nothing_after_as_long_as_was_asked) {
  serving s;
  std::vector<news> told;
  const auto known = s.ask(about({topic("t")}));
  s.watches.ask(after(known, {topic("t")}), s.now, [&](const news& what) { told.push_back(what); });
  s.enter(node_at("tcp://a:1", 1, {topic("u")}));
  BOOST_TEST((s.watches.next_end() == s.now + 10s));
  for (int i = 0; i < 9; ++i) {
    BOOST_TEST(s.table.renew(identity(1), s.now));
    s.pass(1s);
  }
  BOOST_TEST(told.empty());
  s.pass(1s);
  BOOST_TEST_REQUIRE(told.size() == 1U);
  BOOST_TEST(told.front().is_empty());
  BOOST_TEST(told.front().revision > known.revision);
}

BOOST_AUTO_TEST_CASE(answers_at_once_who_asks_for_something_fresh) {
  serving s;
  int told = 0;
  auto asked = after(s.ask(about({})), {topic("t")});
  asked.fresh = {topic("u")};
  s.watches.ask(asked, s.now, [&](const news& what) {
    ++told;
    BOOST_TEST(what.is_empty());
  });
  BOOST_TEST(told == 1);
}

// Somebody who asks for one topic after the other left a question behind for each.
BOOST_AUTO_TEST_CASE(keeps_one_question_of_each_watcher) {
  serving s;
  int first = 0;
  int second = 0;
  auto asked = after(s.ask(about({})), {topic("t")});
  asked.watcher = identity(9);
  s.watches.ask(asked, s.now, [&](const news& what) {
    ++first;
    BOOST_TEST(what.is_empty());
  });
  asked.keys.push_back(topic("u"));
  s.watches.ask(asked, s.now, [&](const news&) { ++second; });
  BOOST_TEST(first == 1);
  BOOST_TEST(second == 0);
  BOOST_TEST(s.watches.size() == 1U);
  s.enter(node_at("tcp://a:1", 1, {topic("t")}));
  s.look();
  BOOST_TEST(first == 1);
  BOOST_TEST(second == 1);
  BOOST_TEST(s.watches.size() == 0U);
}

BOOST_AUTO_TEST_CASE(tells_operators_also_of_nodes_that_serve_nothing) {
  serving s;
  int told = 0;
  directory::question all = after(s.ask(about({})), {});
  all.all = true;
  s.watches.ask(
      all, s.now, [&](const news& what) { told += static_cast<int>(what.joined.size()); });
  s.enter(node_at("tcp://a:1", 1, {}));
  s.look();
  BOOST_TEST(told == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::directory_lease_table_test
