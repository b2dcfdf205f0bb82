#include <mailroom/tests/services/directory/deployments.hpp>
#include <mailroom/tests/support/eventually.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <future>
#include <map>
#include <set>
#include <string>
#include <vector>

// What must hold for every kind of directory: real nodes over real sockets.

namespace mailroom::tests::conformance_test {
namespace {

using kinds = boost::mpl::list<static_deployment, embedded_deployment>;

client of(node& at, std::string_view topic) {
  return client(at, {.topic = topic}).prepare({.timeout = patience});
}

// Whoever answers calls, one after the other.
std::set<std::string> who_answers(const client& asks, int calls = 8) {
  std::set<std::string> names;
  for (int i = 0; i < calls; ++i) {
    const auto name = asks.call<std::string>("who");
    names.insert(name ? *name : name.error().to_string());
  }
  return names;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_conformance)

BOOST_AUTO_TEST_CASE_TEMPLATE(finds_all_servers_of_a_topic_when_it_is_first_called, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a", "b"});
  const auto a = at.serve("a", {"naming"});
  const auto b = at.serve("b", {"naming"});
  node caller(at.caller());
  caller.start().value();
  const client asks = of(caller, "naming");
  BOOST_TEST((eventually([&] { return who_answers(asks) == std::set<std::string>{"a", "b"}; })));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(compares_keys_whole, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a"});
  const auto a = at.serve("a", {"naming"});
  node caller(at.caller());
  caller.start().value();
  BOOST_TEST((of(caller, "nam").call<std::string>("who").error() == errc::no_server));
  BOOST_TEST((of(caller, "naming_x").call<std::string>("who").error() == errc::no_server));
  const client elsewhere =
      client(caller, {.exchange = "other", .topic = "naming"}).prepare({.timeout = patience});
  BOOST_TEST((elsewhere.call<std::string>("who").error() == errc::no_server));
  BOOST_TEST(of(caller, "naming").call<std::string>("who").value() == "a");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(says_at_once_that_there_is_no_server, Kind, kinds) {
  Kind at;
  node caller(at.caller());
  caller.start().value();
  const client asks = client(caller, {.topic = "nobody"}).prepare({.timeout = 1h});
  BOOST_TEST((asks.call<std::string>("who").error() == errc::no_server));
  BOOST_TEST((asks.cast("who").error() == errc::no_server));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(waits_for_a_server_that_starts_after_its_callers, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a"});
  node caller(at.caller());
  caller.start().value();
  const client asks = of(caller, "naming");
  BOOST_TEST((asks.call<std::string>("who").error() == errc::no_server));
  auto waits = asks.prepare({.wait_for_ready = true}).future_call<std::string>("who");
  const auto a = at.serve("a", {"naming"});
  BOOST_TEST(waits.get().value() == "a");
  BOOST_TEST(asks.call<std::string>("who").value() == "a");
}

// It was connected to twice, and heard everything twice.
BOOST_AUTO_TEST_CASE_TEMPLATE(reaches_a_server_that_it_also_connects_to_once, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a", "b"});
  const auto a = at.serve("a", {"naming"});
  const auto b = at.serve("b", {"naming"});
  auto with = at.caller();
  with.connect = {a->address()};
  node caller(with);
  caller.start().value();
  const client asks = of(caller, "naming");
  BOOST_TEST((eventually([&] { return who_answers(asks) == std::set<std::string>{"a", "b"}; })));
  asks.fanout().cast("count").value();
  for (const char* name : {"a", "b"}) {
    BOOST_TEST(asks.prepare({.server = name}).template call<int>("counted").value() == 1);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(reaches_all_with_the_first_fanout, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a", "b"});
  const auto a = at.serve("a", {"naming"});
  const auto b = at.serve("b", {"naming"});
  node caller(at.caller());
  caller.start().value();
  const client asks = of(caller, "naming");
  asks.fanout().cast("count").value();
  for (const char* name : {"a", "b"}) {
    BOOST_TEST(asks.prepare({.server = name}).template call<int>("counted").value() == 1);
  }
}

// Who was connected first got the first calls of each client.
BOOST_AUTO_TEST_CASE_TEMPLATE(has_the_first_calls_of_all_clients_go_by_key, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a", "b", "c"});
  const auto a = at.serve("a", {"naming"});
  const auto b = at.serve("b", {"naming"});
  const auto c = at.serve("c", {"naming"});
  std::map<std::string, std::set<std::string>> seen;
  for (int i = 0; i < 6; ++i) {
    for (const auto* key : {"one", "two"}) {
      node caller(at.caller());
      caller.start().value();
      const auto by_key =
          client(caller, {.topic = "naming"}).prepare({.timeout = patience, .key = key});
      seen[key].insert(by_key.template call<std::string>("who").value());
    }
  }
  BOOST_TEST(seen["one"].size() == 1U);
  BOOST_TEST(seen["two"].size() == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(never_takes_another_server_for_the_one_that_is_named, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a", "b"});
  const auto a = at.serve("a", {"naming"});
  node caller(at.caller());
  caller.start().value();
  const client asks = of(caller, "naming");
  BOOST_TEST(asks.call<std::string>("who").value() == "a");
  const client of_b = asks.prepare({.server = "b"});
  BOOST_TEST((of_b.call<std::string>("who").error() == errc::no_server));
  auto waits = of_b.prepare({.wait_for_ready = true}).template future_call<std::string>("who");
  const auto b = at.serve("b", {"naming"});
  BOOST_TEST(waits.get().value() == "b");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(has_a_node_call_itself, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a"});
  const auto a = at.serve("a", {"naming"});
  BOOST_TEST(of(*a, "naming").template call<std::string>("who").value() == "a");
  of(*a, "naming").fanout().cast("count").value();
  BOOST_TEST(of(*a, "naming").template call<int>("counted").value() == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(goes_on_with_the_others_when_one_stops_and_takes_it_back,
                              Kind,
                              kinds) {
  Kind at;
  at.expects("naming", {"a", "b"});
  auto a = at.serve("a", {"naming"});
  const auto b = at.serve("b", {"naming"});
  node caller(at.caller());
  caller.start().value();
  const client asks = of(caller, "naming");
  BOOST_TEST((eventually([&] { return who_answers(asks) == std::set<std::string>{"a", "b"}; })));
  const auto listened_at = a->address();
  BOOST_TEST(a->stop());
  a.reset();
  BOOST_TEST((eventually([&] { return who_answers(asks) == std::set<std::string>{"b"}; })));
  // A new incarnation at the old address.
  a = at.serve("a", {"naming"}, listened_at);
  BOOST_TEST((eventually([&] { return who_answers(asks) == std::set<std::string>{"a", "b"}; })));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(finds_what_is_served_later, Kind, kinds) {
  Kind at;
  at.expects("naming", {"a"});
  at.expects("later", {"a"});
  const auto a = at.serve("a", {"naming"});
  node caller(at.caller());
  caller.start().value();
  BOOST_TEST(of(caller, "naming").template call<std::string>("who").value() == "a");
  auto waits = of(caller, "later")
                   .prepare({.wait_for_ready = true})
                   .template future_call<std::string>("who");
  serve_name(*a, "later");
  BOOST_TEST(waits.get().value() == "a");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::conformance_test
