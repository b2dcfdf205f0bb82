#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace mailroom::tests::ledger_test {
using nlohmann::json;

namespace {

class shelf {
 public:
  int twice(context&, int n) { return 2 * n; }
  int fails(context&) { throw std::runtime_error("no such shelf"); }
  task<int> nap(context& ctx, int milliseconds) {
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return milliseconds;
  }
};

struct scene {
  static node_options listening(const std::string& name) {
    return {.name = name, .listen = "tcp://127.0.0.1:0"};
  }
  scene() {
    log::set_level(log::level::off);
    for (node* each : {&left, &right}) {
      each->serve({.topic = "shelf"},
                  endpoint<shelf>()
                      .method("twice", &shelf::twice)
                      .method("fails", &shelf::fails)
                      .method("nap", &shelf::nap)
                      .queue_limit(20)
                      .exclusive());
      each->start().value();
    }
    front.emplace(node_options{.name = "front",
                               .listen = "tcp://127.0.0.1:0",
                               .connect = {left.address(), right.address()}});
    front->start().value();
    asker.emplace(node_options{.name = "asker",
                               .connect = {left.address(), right.address(), front->address()}});
    asker->start().value();
  }

  json ledger_of(const std::string& address) {
    const auto told = asker->admin(address, "ledger").value();
    return json::parse(wire::json_from_body(told.view()).value());
  }
  static bool is_settled(const json& ledger) {
    for (const char* side : {"out", "in"}) {
      if (ledger.at(side).at("open") != 0 || ledger.at(side).at("difference") != 0) {
        return false;
      }
    }
    return true;
  }
  static std::uint64_t count(const json& ledger, const char* side, const char* state) {
    return ledger.at(side).at(state).get<std::uint64_t>();
  }

  node left{listening("left")};
  node right{listening("right")};
  std::optional<node> front;
  std::optional<node> asker;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(host_ledger)

BOOST_FIXTURE_TEST_CASE(every_message_ends_in_one_state, scene) {
  const client to(*front, {.topic = "shelf"});
  for (int i = 0; i < 50; ++i) {
    BOOST_TEST(to.call<int>("twice", i).value() == 2 * i);
    BOOST_TEST(!to.call<int>("fails"));
    BOOST_TEST(to.cast("twice", i).has_value());
    BOOST_TEST(to.fanout().cast("twice", i).has_value());
  }
  BOOST_TEST(
      (client(*front, {.topic = "nowhere"}).call<int>("twice", 1).error() == errc::no_server));
  BOOST_TEST((to.call<int>("thrice", 1).error() == errc::no_such_method));
  BOOST_TEST((to.prepare({.timeout = 20ms}).call<int>("nap", 200).error() == errc::expired));
  // More than their queues hold; some of it is given up.
  std::vector<std::future<result<int>>> many;
  for (int i = 0; i < 200; ++i) {
    many.push_back(to.future_call<int>("nap", 1));
    const auto dropped = to.async_call<int>("nap", 1);
  }
  for (auto& each : many) {
    const auto got = each.get();
    BOOST_TEST((got || got.error() == errc::busy));
  }
  json here;
  json there;
  json yonder;
  BOOST_TEST(mailroom::tests::eventually([&] {
    here = ledger_of(front->address());
    there = ledger_of(left.address());
    yonder = ledger_of(right.address());
    return is_settled(here) && is_settled(there) && is_settled(yonder);
  }));
  BOOST_TEST_INFO(here.dump());
  BOOST_TEST_INFO(there.dump());
  BOOST_TEST_INFO(yonder.dump());
  BOOST_TEST(count(here, "out", "handled") >= 50U);
  BOOST_TEST(count(here, "out", "told") == 150U);
  BOOST_TEST(count(here, "out", "failed") >= 51U);
  BOOST_TEST(count(here, "out", "expired") == 1U);
  BOOST_TEST(count(here, "out", "unroutable") == 1U);
  BOOST_TEST(count(here, "out", "busy") > 0U);
  BOOST_TEST(count(here, "out", "cancelled") > 0U);
  BOOST_TEST(count(here, "out", "lost") == 0U);
  BOOST_TEST(count(here, "out", "sent") ==
             count(there, "in", "messages") + count(yonder, "in", "messages"));
}

BOOST_FIXTURE_TEST_CASE(also_when_a_server_goes, scene) {
  const client to(*front, {.topic = "shelf"});
  std::vector<std::future<result<int>>> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(to.future_call<int>("nap", 50));
  }
  BOOST_REQUIRE(mailroom::tests::eventually(
      [&] { return count(ledger_of(right.address()), "in", "messages") > 0; }));
  right.stop(0ms);
  for (auto& each : many) {
    each.wait();  // One way or the other.
  }
  BOOST_TEST(to.call<int>("twice", 1).value() == 2);
  json here;
  BOOST_TEST(mailroom::tests::eventually([&] {
    here = ledger_of(front->address());
    return is_settled(here) && is_settled(ledger_of(left.address()));
  }));
  BOOST_TEST(count(here, "out", "messages") >= 41U, here.dump());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::ledger_test
