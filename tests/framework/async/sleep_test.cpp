#include <mailroom/tests/framework/async/hand_home.hpp>

#include <mailroom/framework/async/sleep.hpp>

#include <boost/test/unit_test.hpp>

namespace mailroom::tests::sleep_test {

BOOST_AUTO_TEST_SUITE(async_sleep)

BOOST_AUTO_TEST_CASE(pauses_a_coroutine_for_as_long_as_it_says) {
  hand_home home;
  hand_flow flow(home);
  flow.start_coroutine([&]() -> task<void> { co_await mailroom::sleep(10ms); });
  home.pass(9ms);
  BOOST_TEST(!flow.ended);
  home.pass(1ms);
  BOOST_TEST(flow.ended);
  BOOST_TEST(home.armed() == 0U);
}

BOOST_AUTO_TEST_CASE(pauses_a_fiber_for_as_long_as_it_says) {
  hand_home home;
  hand_flow flow(home);
  flow.start_fiber([&] { mailroom::sleep(10ms); });
  home.pass(9ms);
  BOOST_TEST(!flow.ended);
  home.pass(1ms);
  BOOST_TEST(flow.ended);
  BOOST_TEST(!flow.thrown);
}

BOOST_AUTO_TEST_CASE(lets_the_shorter_of_two_pass_first) {
  hand_home home;
  hand_flow slow(home);
  hand_flow quick(home);
  slow.start_coroutine([&]() -> task<void> { co_await mailroom::sleep(20ms); });
  quick.start_fiber([&] { mailroom::sleep(10ms); });
  home.pass(10ms);
  BOOST_TEST(quick.ended);
  BOOST_TEST(!slow.ended);
  home.pass(10ms);
  BOOST_TEST(slow.ended);
}

BOOST_AUTO_TEST_CASE(of_no_time_still_lets_others_run) {
  hand_home home;
  hand_flow flow(home);
  flow.start_coroutine([&]() -> task<void> { co_await mailroom::sleep(0ms); });
  BOOST_TEST(!flow.ended);
  home.pass(0ms);
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(leaves_no_timer_behind_when_a_coroutine_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  flow.start_coroutine([&]() -> task<void> { co_await mailroom::sleep(1h); });
  BOOST_TEST(home.armed() == 1U);
  home.end();
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(home.armed() == 0U);
}

// The timer lay in an object whose constructor had thrown, so that nobody cancelled it.
BOOST_AUTO_TEST_CASE(leaves_no_timer_behind_when_a_fiber_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  flow.start_fiber([&] { mailroom::sleep(1h); });
  BOOST_TEST(home.armed() == 1U);
  home.end();
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST_REQUIRE(home.armed() == 0U);
}

BOOST_AUTO_TEST_CASE(leaves_no_timer_behind_when_a_cancelled_fiber_sleeps_again) {
  hand_home home;
  hand_flow flow(home);
  flow.start_fiber([&] {
    try {
      mailroom::sleep(1h);
    } catch (const async::flow_cancelled&) {
    }
    mailroom::sleep(1h);
  });
  home.end();
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST_REQUIRE(home.armed() == 0U);
}

BOOST_AUTO_TEST_CASE(is_refused_to_a_plain_handler_with_both_remedies) {
  hand_home home;
  hand_flow flow(home);
  flow.flow().how = async::style::plain;
  const async::flow_scope scope(&flow.flow());
  try {
    mailroom::sleep(1ms);
    BOOST_ERROR("it slept");
  } catch (const call_error& refused) {
    BOOST_TEST((refused.why() == errc::would_block));
    const std::string said(refused.why().message());
    BOOST_TEST(said.find("suspending") != std::string::npos);
    BOOST_TEST(said.find("co_await") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(is_refused_outside_of_handlers) {
  BOOST_CHECK_THROW(mailroom::sleep(1ms), call_error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::sleep_test
