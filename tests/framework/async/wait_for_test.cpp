#include <mailroom/tests/framework/async/hand_home.hpp>

#include <mailroom/framework/async/channel.hpp>
#include <mailroom/framework/async/mutex.hpp>
#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/wait_for.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace mailroom::tests::wait_for_test {
namespace {

template <class T>
std::string told(const result<T>& outcome) {
  if (!outcome) {
    return std::string(to_string(outcome.error().code()));
  }
  if constexpr (std::is_same_v<T, int>) {
    return std::to_string(*outcome);
  } else {
    return "done";
  }
}

// A flow that waits for something with a limit, in a coroutine.
struct limited_flow {
  explicit limited_flow(hand_home& home) : flow(home) {}
  template <class Make, class Limit>
  void start(Make make, Limit limit) {
    flow.start_coroutine(
        [this, make, limit]() -> task<void> { said = told(co_await wait_for(make(), limit)); });
  }
  hand_flow flow;
  std::string said;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(async_wait_for)

BOOST_AUTO_TEST_CASE(yields_what_comes_in_time) {
  hand_home home;
  limited_flow one(home);
  async::event go;
  one.start([&] { return value_after(go, 7); }, 10ms);
  BOOST_TEST(home.armed() == 1U);
  home.pass(9ms);
  go.complete();
  home.run_all();
  BOOST_TEST(one.said == "7");
  BOOST_TEST(home.armed() == 0U);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(yields_at_once_what_does_not_wait) {
  hand_home home;
  limited_flow one(home);
  one.start([] { return []() -> task<int> { co_return 7; }(); }, 10ms);
  BOOST_TEST(one.said == "7");
  BOOST_TEST(home.armed() == 0U);
}

BOOST_AUTO_TEST_CASE(unwinds_what_does_not_come_in_time) {
  hand_home home;
  limited_flow one(home);
  async::event never;
  int unwound = 0;
  one.start([&] { return value_after(never, 7, &unwound); }, 10ms);
  home.pass(10ms);
  BOOST_TEST(one.said == "expired");
  BOOST_TEST(unwound == 1);
  BOOST_TEST(home.armed() == 0U);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(goes_on_with_the_rest_of_the_handler) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  async::event later;
  flow.start_coroutine([&]() -> task<void> {
    BOOST_TEST(told(co_await wait_for(value_after(never, 7), 10ms)) == "expired");
    co_await async::until(later);  // Only what was limited is cancelled.
  });
  home.pass(10ms);
  BOOST_TEST(!flow.ended);
  later.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  BOOST_TEST(!flow.thrown);
}

BOOST_AUTO_TEST_CASE(wraps_no_result_twice) {
  channel<int> c(1);
  static_assert(std::is_same_v<decltype(wait_for(c.receive(), 1ms)), task<result<int>>>);
  static_assert(std::is_same_v<decltype(wait_for(c.send(1), 1ms)), task<result<void>>>);
  mailroom::mutex m;
  static_assert(
      std::is_same_v<decltype(wait_for(m.lock(), 1ms)), task<result<mailroom::mutex::guard>>>);
  hand_home home;
  limited_flow one(home);
  one.start([] { return []() -> task<void> { co_return; }(); }, 10ms);
  BOOST_TEST(one.said == "done");
}

BOOST_AUTO_TEST_CASE(throws_on_what_is_thrown) {
  hand_home home;
  limited_flow one(home);
  async::event go;
  one.start(
      [&]() -> task<int> {
        const auto failing = [](async::event& what) -> task<int> {
          co_await async::until(what);
          throw std::runtime_error("inside");
        };
        return failing(go);
      },
      10ms);
  go.complete();
  home.run_all();
  BOOST_CHECK_THROW(std::rethrow_exception(one.flow.thrown), std::runtime_error);
  BOOST_TEST(home.armed() == 0U);
}

BOOST_AUTO_TEST_CASE(leaves_the_line_of_a_mutex_and_a_channel) {
  hand_home home;
  limited_flow locks(home);
  limited_flow receives(home);
  limited_flow sends(home);
  mailroom::mutex m;
  channel<int> empty(1);
  channel<int> full(0);
  auto held = m.try_lock();
  locks.start([&] { return m.lock(); }, 10ms);
  receives.start([&] { return empty.receive(); }, 10ms);
  sends.start([&] { return full.send(1); }, 10ms);
  home.pass(10ms);
  for (const auto* each : {&locks, &receives, &sends}) {
    BOOST_TEST(each->said == "expired");
  }
  held.unlock();
  BOOST_TEST(bool(m.try_lock()));
  BOOST_TEST(empty.try_send(1));
  BOOST_TEST(empty.try_receive().value() == 1);
  BOOST_TEST(!full.try_receive());
}

BOOST_AUTO_TEST_CASE(yields_a_value_that_came_in_spite_of_it) {
  hand_home home;
  limited_flow one(home);
  async::event never;
  one.start(
      [&]() -> task<int> {
        const auto stubborn = [](async::event& what) -> task<int> {
          try {
            co_await async::until(what);
          } catch (const async::flow_cancelled&) {
          }
          co_return 7;
        };
        return stubborn(never);
      },
      10ms);
  home.pass(10ms);
  BOOST_TEST(one.said == "7");
}

BOOST_AUTO_TEST_CASE(ends_by_the_shorter_of_two_limits) {
  for (const auto& [inner, outer] : {std::pair{10ms, 20ms}, std::pair{20ms, 10ms}}) {
    hand_home home;
    hand_flow flow(home);
    async::event never;
    int unwound = 0;
    std::string inside = "nothing";
    std::string outside = "nothing";
    flow.start_coroutine([&, within = inner, without = outer]() -> task<void> {
      const auto nested = [&]() -> task<int> {
        inside = told(co_await wait_for(value_after(never, 7, &unwound), within));
        co_return 1;
      };
      outside = told(co_await wait_for(nested(), without));
    });
    home.pass(10ms);
    BOOST_TEST(flow.ended);
    BOOST_TEST(unwound == 1);
    BOOST_TEST(inside == (inner < outer ? "expired" : "nothing"));
    BOOST_TEST(outside == (inner < outer ? "1" : "expired"));
    BOOST_TEST(home.armed() == 0U);
    BOOST_TEST(!home.anything_waiting());
  }
}

BOOST_AUTO_TEST_CASE(unwinds_fibers_and_branches_inside) {
  hand_home home;
  limited_flow one(home);
  std::vector<async::event> never(3);
  int unwound = 0;
  const auto fiber_body = [&] {
    const witness frame(unwound);
    mailroom::wait(value_after(never[2], 1, &unwound));
  };
  one.start(
      [&] {
        return gather(value_after(never[0], 1, &unwound),
                      value_after(never[1], 1, &unwound),
                      on_fiber(fiber_body));
      },
      10ms);
  home.pass(10ms);
  BOOST_TEST(one.said == "expired");
  BOOST_TEST(unwound == 4);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(is_cancelled_with_the_handler_around_it) {
  hand_home home;
  limited_flow one(home);
  async::event never;
  int unwound = 0;
  one.start([&] { return wait_for(value_after(never, 7, &unwound), 1h); }, 2h);
  home.end();
  BOOST_TEST(one.flow.was_cancelled());
  BOOST_TEST(one.said.empty());
  BOOST_TEST(unwound == 1);
  BOOST_TEST(home.armed() == 0U);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(limits_what_a_fiber_waits_for) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  async::event go;
  mailroom::mutex m;
  int unwound = 0;
  std::vector<std::string> said;
  flow.start_fiber([&] {
    const auto held = m.try_lock();
    said.push_back(told(mailroom::wait(value_after(never, 7, &unwound), 10ms)));
    said.push_back(told(mailroom::wait(m.lock(), 10ms)));
    said.push_back(told(mailroom::wait(value_after(go, 8), 10ms)));
  });
  home.pass(10ms);
  home.pass(10ms);
  go.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  const std::vector<std::string> expected{"expired", "expired", "8"};
  BOOST_TEST(said == expected, boost::test_tools::per_element());
  BOOST_TEST(unwound == 1);
  BOOST_TEST(home.armed() == 0U);
}

BOOST_AUTO_TEST_CASE(ends_ten_thousand_at_once) {
  constexpr std::size_t many = 10'000;
  hand_home home;
  async::event never;
  std::vector<async::event> gates(many);
  std::vector<std::unique_ptr<limited_flow>> all;
  for (auto& gate : gates) {
    all.push_back(std::make_unique<limited_flow>(home));
    all.back()->start([&] { return value_after(gate, 1); }, 10ms);
  }
  home.pass(10ms);
  std::size_t expired = 0;
  for (const auto& each : all) {
    expired += each->said == "expired" ? 1U : 0U;
  }
  BOOST_TEST(expired == many);
}

BOOST_AUTO_TEST_CASE(ends_when_a_stop_is_requested) {
  hand_home home;
  limited_flow one(home);
  async::event never;
  std::stop_source stop;
  int unwound = 0;
  one.start([&] { return value_after(never, 7, &unwound); }, stop.get_token());
  home.run_all();
  BOOST_TEST(one.said.empty());
  std::thread([&] { stop.request_stop(); }).join();
  home.run_all();
  BOOST_TEST(one.said == "cancelled");
  BOOST_TEST(unwound == 1);
}

BOOST_AUTO_TEST_CASE(begins_nothing_after_a_stop_was_requested) {
  hand_home home;
  limited_flow one(home);
  std::stop_source stop;
  stop.request_stop();
  bool begun = false;
  one.start(
      [&] {
        return [](bool& noted) -> task<int> {
          noted = true;
          co_return 7;
        }(begun);
      },
      stop.get_token());
  BOOST_TEST(one.said == "cancelled");
  BOOST_TEST(!begun);
}

BOOST_AUTO_TEST_CASE(ends_once_when_value_and_stop_come_at_the_same_time) {
  constexpr int rounds = 1000;
  starting_line line;
  std::vector<std::stop_source> stops(rounds);
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      line.meet(i);
      stops[static_cast<std::size_t>(i)].request_stop();
    }
  });
  for (int i = 0; i < rounds; ++i) {
    hand_home home;
    limited_flow one(home);
    async::event go;
    one.start([&] { return value_after(go, 7); }, stops[static_cast<std::size_t>(i)].get_token());
    line.meet(i);
    go.complete();
    while (!one.flow.ended) {
      home.wait_and_run();
    }
    BOOST_REQUIRE((one.said == "7" || one.said == "cancelled"));
  }
  other.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::wait_for_test
