#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>

namespace mailroom::tests::outcomes_test {
namespace {

struct shared_state {
  std::atomic<int> started{0};
  std::atomic<int> told{0};
};

class shelf {
 public:
  explicit shelf(std::shared_ptr<shared_state> with) : with_(std::move(with)) {}

  int twice(context&, int n) { return 2 * n; }
  task<int> hold(context& ctx) {
    const std::stop_callback told(ctx.stop_token(), [this] { ++with_->told; });
    ++with_->started;
    co_await ctx.sleep(1h);
    co_return 1;
  }

 private:
  std::shared_ptr<shared_state> with_;
};

auto described(const std::shared_ptr<shared_state>& with) {
  return endpoint<shelf>(with).method("twice", &shelf::twice).method("hold", &shelf::hold);
}

// One that listens and serves some topics, by the loop where they are at home.
void serve(node& at, const std::shared_ptr<shared_state>& with) {
  for (const char* topic : {"one", "two", "three"}) {
    at.serve({.topic = topic}, described(with));
  }
  at.start().value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(host_outcomes)

// Over the control plane, to whatever loop the call went.
BOOST_AUTO_TEST_CASE(a_call_that_is_given_up_stops_its_handler_on_another_node) {
  log::set_level(log::level::off);
  const auto state = std::make_shared<shared_state>();
  node back({.name = "back", .listen = "tcp://127.0.0.1:0", .loops = 2});
  serve(back, state);
  node front({.connect = {back.address()}});
  front.start().value();
  int stopped = 0;
  for (const char* topic : {"one", "two", "three"}) {
    BOOST_TEST_CONTEXT(topic) {
      {
        const auto out = client(front, {.topic = topic}).async_call<int>("hold");
        BOOST_REQUIRE(eventually([&] { return state->started == stopped + 1; }));
      }
      ++stopped;
      BOOST_TEST(eventually([&] { return state->told == stopped; }));
    }
  }
}

BOOST_AUTO_TEST_CASE(and_on_its_own) {
  const auto state = std::make_shared<shared_state>();
  node alone({.name = "alone", .loops = 2});
  serve(alone, state);
  {
    const auto one = client(alone, {.topic = "one"}).async_call<int>("hold");
    const auto two = client(alone, {.topic = "two"}).async_call<int>("hold");
    BOOST_REQUIRE(eventually([&] { return state->started == 2; }));
  }
  BOOST_TEST(eventually([&] { return state->told == 2; }));
}

BOOST_AUTO_TEST_CASE(a_client_that_stops_gives_up_what_it_waits_for) {
  const auto state = std::make_shared<shared_state>();
  node back({.name = "back", .listen = "tcp://127.0.0.1:0"});
  serve(back, state);
  node front({.connect = {back.address()}});
  front.start().value();
  const auto out = client(front, {.topic = "one"}).future_call<int>("hold");
  BOOST_REQUIRE(eventually([&] { return state->started == 1; }));
  front.stop();
  BOOST_TEST(eventually([&] { return state->told == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::outcomes_test
