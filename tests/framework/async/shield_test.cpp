#include <mailroom/tests/framework/async/hand_home.hpp>

#include <mailroom/framework/async/wait_for.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

namespace mailroom::tests::shield_test {
namespace {

// A flow that waits for what is protected, for ten milliseconds.
struct limited_flow {
  explicit limited_flow(hand_home& home) : flow(home) {}
  template <class Make>
  void start(Make make) {
    flow.start_coroutine([this, make]() -> task<void> {
      const auto outcome = co_await wait_for(make(), 10ms);
      said = outcome ? std::to_string(*outcome) : std::string(to_string(outcome.error().code()));
    });
  }
  hand_flow flow;
  std::string said;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(async_shield)

BOOST_AUTO_TEST_CASE(yields_what_it_protects) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int got = 0;
  flow.start_coroutine([&]() -> task<void> { got = co_await shield(value_after(go, 7)); });
  BOOST_TEST(home.held == 1);
  go.complete();
  home.run_all();
  BOOST_TEST(got == 7);
  BOOST_TEST(home.held == 0);
}

BOOST_AUTO_TEST_CASE(throws_on_what_it_protects_throws) {
  hand_home home;
  hand_flow flow(home);
  flow.start_coroutine([&]() -> task<void> {
    co_await shield([]() -> task<void> {
      throw std::runtime_error("inside");
      co_return;
    }());
  });
  BOOST_CHECK_THROW(std::rethrow_exception(flow.thrown), std::runtime_error);
  BOOST_TEST(home.held == 0);
}

BOOST_AUTO_TEST_CASE(lets_it_go_on_when_the_time_is_over) {
  hand_home home;
  limited_flow one(home);
  async::event go;
  int ended = 0;
  one.start([&] { return shield(value_after(go, 7, &ended)); });
  home.pass(10ms);
  BOOST_TEST(one.said == "expired");
  BOOST_TEST(one.flow.ended);
  BOOST_TEST(ended == 0);
  BOOST_TEST(home.held == 1);  // The home must not end yet.
  go.complete();
  home.run_all();
  BOOST_TEST(ended == 1);
  BOOST_TEST(home.held == 0);
}

BOOST_AUTO_TEST_CASE(drops_what_is_thrown_when_nobody_waits_any_more) {
  hand_home home;
  limited_flow one(home);
  async::event go;
  one.start([&] {
    return shield([](async::event& what) -> task<int> {
      co_await async::until(what);
      throw std::runtime_error("unheard");
    }(go));
  });
  home.pass(10ms);
  go.complete();
  home.run_all();
  BOOST_TEST(one.said == "expired");
  BOOST_TEST(home.held == 0);
}

BOOST_AUTO_TEST_CASE(ends_with_its_home) {
  hand_home home;
  limited_flow one(home);
  async::event never;
  int unwound = 0;
  one.start([&] { return shield(value_after(never, 7, &unwound)); });
  home.pass(10ms);
  home.end();
  BOOST_TEST(unwound == 1);
  BOOST_TEST(home.held == 0);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(ends_with_its_home_while_it_is_waited_for) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  int unwound = 0;
  flow.start_fiber([&] { mailroom::wait(shield(value_after(never, 7, &unwound))); });
  home.end();
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(unwound == 1);
  BOOST_TEST(home.held == 0);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::shield_test
