#include <mailroom/tests/services/directory/deployments.hpp>
#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/framework/directory/messages.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

// What an embedded directory adds: nodes that come and go, and its own absence.

namespace mailroom::tests::embedded_test {
namespace {

client of(node& at, std::string_view topic) {
  return client(at, {.topic = topic}).prepare({.timeout = patience});
}

// As an operator sees it.
class operator_of {
 public:
  explicit operator_of(std::string address)
      : address_(std::move(address)), node_({.name = "operator", .connect = {address_}}) {
    node_.start().value();
  }

  directory::listing list() {
    const auto told = node_.admin(address_, directory::list_verb, patience);
    return told ? directory::read_listing(told->view()).value() : directory::listing{};
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& each : list().nodes) {
      all.push_back(each.what.node);
    }
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::string address_;
  node node_;
};

using names = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_embedded)

BOOST_AUTO_TEST_CASE(lists_who_has_registered_when_their_start_returns) {
  embedded_deployment at;
  operator_of sees(at.addresses().front());
  const auto a = at.serve("a", {"naming"});
  node labelled({.name = "b",
                 .listen = "tcp://127.0.0.1:0",
                 .directory = at.addresses(),
                 .labels = {.zone = "north", .weight = 50, .version = "2.1"}});
  labelled.start().value();
  const auto listed = sees.list();
  BOOST_TEST_REQUIRE(listed.nodes.size() == 2U);
  for (const auto& each : listed.nodes) {
    if (each.what.node == "a") {
      BOOST_TEST(each.what.address == a->address());
      BOOST_TEST(each.what.topics.size() == 1U);
    } else {
      BOOST_TEST((each.what.labels == rpc::node_labels{"north", 50, "2.1"}));
    }
  }
}

// It got the first calls of clients that were connected to it first.
BOOST_AUTO_TEST_CASE(gives_a_server_of_weight_0_nothing_from_the_first_call_on) {
  embedded_deployment at;
  node light({.name = "light",
              .listen = "tcp://127.0.0.1:0",
              .directory = at.addresses(),
              .labels = {.weight = 0}});
  serve_name(light, "naming");
  light.start().value();
  const auto heavy = at.serve("heavy", {"naming"});
  for (int i = 0; i < 10; ++i) {
    node caller(at.caller());
    caller.start().value();
    BOOST_TEST(of(caller, "naming").call<std::string>("who").value() == "heavy");
  }
}

BOOST_AUTO_TEST_CASE(has_calls_stay_in_their_zone_while_they_can) {
  embedded_deployment at;
  const auto serve = [&](const std::string& name, const std::string& zone) {
    auto made = std::make_unique<node>(node_options{.name = name,
                                                    .listen = "tcp://127.0.0.1:0",
                                                    .directory = at.addresses(),
                                                    .labels = {.zone = zone}});
    serve_name(*made, "naming");
    made->start().value();
    return made;
  };
  auto north = serve("north", "n");
  auto more_north = serve("more north", "n");
  const auto south = serve("south", "s");
  auto options = at.caller();
  options.labels.zone = "n";
  node caller(options);
  caller.start().value();
  for (const auto how : {balance::round_robin, balance::least_in_flight}) {
    const client asks = of(caller, "naming").prepare({.balance = how});
    std::set<std::string> seen;
    for (int i = 0; i < 40; ++i) {
      seen.insert(asks.call<std::string>("who").value());
    }
    BOOST_TEST((seen == std::set<std::string>{"north", "more north"}));
  }
  node elsewhere(at.caller());
  elsewhere.start().value();
  std::set<std::string> seen;
  for (int i = 0; i < 40; ++i) {
    seen.insert(of(elsewhere, "naming").call<std::string>("who").value());
  }
  BOOST_TEST(seen.size() == 3U);
  BOOST_TEST(north->stop());
  BOOST_TEST(more_north->stop());
  BOOST_TEST(of(caller, "naming").call<std::string>("who").value() == "south");
}

BOOST_AUTO_TEST_CASE(forgets_who_stops_at_once) {
  embedded_deployment at;
  operator_of sees(at.addresses().front());
  auto a = at.serve("a", {"naming"});
  BOOST_TEST((sees.names() == names{"a"}));
  BOOST_TEST(a->stop());
  BOOST_TEST(sees.names().empty());
}

BOOST_AUTO_TEST_CASE(registers_who_listens_everywhere_where_it_was_seen) {
  embedded_deployment at;
  const auto a = at.serve("a", {"naming"}, "tcp://0.0.0.0:0");
  operator_of sees(at.addresses().front());
  const auto address = sees.list().nodes.at(0).what.address;
  BOOST_TEST(address.starts_with("tcp://127.0.0.1:"), address);
  node caller(at.caller());
  caller.start().value();
  BOOST_TEST(of(caller, "naming").call<std::string>("who").value() == "a");
}

BOOST_AUTO_TEST_CASE(advertises_what_it_is_told_to) {
  embedded_deployment at;
  node a({.name = "a",
          .listen = "tcp://127.0.0.1:0",
          .directory = at.addresses(),
          .advertise = "tcp://a.example:7001"});
  a.start().value();
  operator_of sees(at.addresses().front());
  BOOST_TEST(sees.list().nodes.at(0).what.address == "tcp://a.example:7001");
}

// A directory that was away ended all traffic, and whoever had registered was never seen again.
BOOST_AUTO_TEST_CASE(is_not_missed_and_has_everybody_back_when_it_returns_empty) {
  embedded_deployment at;
  const auto a = at.serve("a", {"naming"});
  const auto b = at.serve("b", {"naming", "other"});
  node caller(at.caller());
  caller.start().value();
  const client asks = of(caller, "naming");
  BOOST_TEST(asks.call<std::string>("who").has_value());

  std::atomic<bool> done{false};
  std::atomic<int> calls{0};
  std::atomic<int> failed{0};
  std::thread goes_on([&] {
    while (!done) {
      failed += asks.call<std::string>("who") ? 0 : 1;
      ++calls;
    }
  });
  const auto goes_on_for = [&](int more) {
    const int before = calls;
    return eventually([&] { return calls >= before + more; });
  };
  const std::string address = at.addresses().front();
  for (int i = 0; i < 3; ++i) {
    at.directories.front().reset();
    BOOST_TEST(goes_on_for(200));
    // Who asks for something new hears why nobody is found.
    const auto none = of(caller, "new-" + std::to_string(i)).call<std::string>("who");
    BOOST_TEST((none.error() == errc::no_server));
    BOOST_TEST((eventually([&] {
      const auto why = of(caller, "newer-" + std::to_string(i)).call<std::string>("who").error();
      return std::string(why.message()).find(address) != std::string::npos;
    })));
    at.directories.front() = start_directory(address);
    operator_of sees(address);
    BOOST_TEST((eventually([&] { return sees.names() == names{"a", "b"}; })));
    BOOST_TEST(goes_on_for(200));
  }
  // What was never asked for before is found, too.
  BOOST_TEST((eventually([&] {
    const auto who = of(caller, "other").call<std::string>("who");
    return who && *who == "b";
  })));
  done = true;
  goes_on.join();
  BOOST_TEST(failed == 0);
}

BOOST_AUTO_TEST_CASE(does_not_say_that_there_is_nobody_while_they_come_back) {
  embedded_deployment at;
  const auto a = at.serve("a", {"naming"});
  const std::string address = at.addresses().front();
  at.directories.front().reset();
  at.directories.front() = start_directory(address);
  // Whoever asks it first.
  node caller(at.caller());
  caller.start().value();
  BOOST_TEST(of(caller, "naming").call<std::string>("who").value() == "a");
}

BOOST_AUTO_TEST_CASE(is_one_of_several_that_know_nothing_of_each_other) {
  embedded_deployment at;
  at.directories.push_back(start_directory());
  const auto all = at.addresses();
  const auto a = at.serve("a", {"naming"});
  node caller(at.caller());
  caller.start().value();
  BOOST_TEST(of(caller, "naming").call<std::string>("who").value() == "a");
  at.directories.front().reset();
  BOOST_TEST(of(caller, "naming").call<std::string>("who").value() == "a");
  // One that comes now finds one of two.
  node late({.name = "late", .directory = all});
  late.start().value();
  BOOST_TEST(of(late, "naming").call<std::string>("who").value() == "a");
  BOOST_TEST((of(late, "nobody").call<std::string>("who").error() == errc::no_server));
  // And a server that only knows the second.
  const auto b = at.serve("b", {"naming"}, "tcp://127.0.0.1:0");
  BOOST_TEST((eventually([&] {
    const auto who = of(late, "naming").call<std::string>("who");
    return who && *who == "b";
  })));
}

BOOST_AUTO_TEST_CASE(says_so_when_no_directory_is_there_and_finds_it_later) {
  std::string address;
  {
    const auto nobody = start_directory();
    address = nobody->address();
  }
  node caller({.name = "caller", .directory = {address}, .heartbeat = 200ms});
  caller.start().value();
  const client asks = of(caller, "naming");
  const auto why = asks.call<std::string>("who").error();
  BOOST_TEST((why == errc::no_server));
  BOOST_TEST(std::string(why.message()).find("no directory") != std::string::npos, why.message());
  auto waits = asks.prepare({.wait_for_ready = true}).future_call<std::string>("who");
  embedded_deployment at;
  at.directories.front().reset();
  at.directories.front() = start_directory(address);
  const auto a = at.serve("a", {"naming"});
  BOOST_TEST(waits.get().value() == "a");
}

BOOST_AUTO_TEST_CASE(is_told_from_a_node_that_is_none) {
  embedded_deployment at;
  const auto a = at.serve("a", {"naming"});
  node caller({.name = "caller", .directory = {a->address()}});
  caller.start().value();
  const auto why = of(caller, "naming").call<std::string>("who").error();
  BOOST_TEST((why == errc::no_server));
  BOOST_TEST(std::string(why.message()).find(a->address() + " is a node, but no directory") !=
                 std::string::npos,
             why.message());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::embedded_test
