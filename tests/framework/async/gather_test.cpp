#include <mailroom/tests/framework/async/hand_home.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace mailroom::tests::gather_test {
namespace {

task<int> thrown_after(async::event& what, std::string said) {
  co_await async::until(what);
  throw std::runtime_error(said);
}

task<void> noted(std::vector<std::string>& log, std::string name, async::event& what) {
  log.push_back(name + " begins");
  co_await async::until(what);
  log.push_back(name + " ends");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(async_gather)

BOOST_AUTO_TEST_CASE(yields_nothing_for_nothing) {
  hand_home home;
  hand_flow flow(home);
  std::size_t got = 1;
  flow.start_coroutine(
      [&]() -> task<void> { got = (co_await gather(std::vector<task<int>>())).size(); });
  BOOST_TEST(flow.ended);
  BOOST_TEST(got == 0U);
}

// It waited for ever.
BOOST_AUTO_TEST_CASE(yields_nothing_for_no_arguments) {
  hand_home home;
  hand_flow flow(home);
  flow.start_coroutine([&]() -> task<void> { BOOST_CHECK(co_await gather() == std::tuple<>()); });
  BOOST_TEST(flow.ended);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(interleaves_its_branches) {
  hand_home home;
  hand_flow flow(home);
  async::event first;
  async::event second;
  std::vector<std::string> log;
  flow.start_coroutine([&]() -> task<void> {
    co_await gather(noted(log, "a", first), noted(log, "b", second));
    log.emplace_back("all");
  });
  second.complete();
  home.run_all();
  BOOST_TEST(!flow.ended);
  first.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  const std::vector<std::string> expected{"a begins", "b begins", "b ends", "a ends", "all"};
  BOOST_TEST(log == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(yields_values_in_the_order_of_its_arguments) {
  hand_home home;
  hand_flow flow(home);
  async::event first;
  async::event second;
  std::tuple<int, int> got;
  flow.start_coroutine([&]() -> task<void> {
    got = co_await gather(value_after(first, 1), value_after(second, 2));
  });
  second.complete();
  first.complete();
  home.run_all();
  BOOST_TEST(std::get<0>(got) == 1);
  BOOST_TEST(std::get<1>(got) == 2);
}

BOOST_AUTO_TEST_CASE(takes_any_number_of_one_kind) {
  hand_home home;
  hand_flow flow(home);
  std::vector<async::event> gates(500);
  std::vector<int> got;
  flow.start_coroutine([&]() -> task<void> {
    std::vector<task<int>> many;
    for (int i = 0; i < 1000; ++i) {
      // Some end at once, some later.
      many.push_back(i % 2 == 0 ? value_after(gates[static_cast<std::size_t>(i) / 2], i)
                                : [](int value) -> task<int> { co_return value; }(i));
    }
    got = co_await gather(std::move(many));
  });
  for (auto gate = gates.rbegin(); gate != gates.rend(); ++gate) {
    BOOST_TEST(!flow.ended);
    gate->complete();
    home.run_all();
  }
  BOOST_TEST_REQUIRE(got.size() == 1000U);
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST(got[static_cast<std::size_t>(i)] == i);
  }
}

BOOST_AUTO_TEST_CASE(throws_the_first_exception_when_all_have_ended) {
  hand_home home;
  hand_flow flow(home);
  std::vector<async::event> gates(3);
  std::string said;
  flow.start_coroutine([&]() -> task<void> {
    try {
      co_await gather(
          thrown_after(gates[0], "zero"), thrown_after(gates[1], "one"), value_after(gates[2], 2));
    } catch (const std::runtime_error& thrown) {
      said = thrown.what();
    }
  });
  gates[1].complete();
  home.run_all();
  BOOST_TEST(!flow.ended);
  gates[0].complete();
  home.run_all();
  BOOST_TEST(!flow.ended);  // The third still refers to what the frame holds.
  gates[2].complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  BOOST_TEST(said == "one");
}

BOOST_AUTO_TEST_CASE(throws_when_every_branch_failed_at_once) {
  hand_home home;
  hand_flow flow(home);
  flow.start_coroutine([&]() -> task<void> {
    const auto fail = []() -> task<void> {
      throw std::runtime_error("now");
      co_return;
    };
    co_await gather(fail(), fail());
  });
  BOOST_TEST(flow.ended);
  BOOST_CHECK_THROW(std::rethrow_exception(flow.thrown), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(throws_what_came_first_of_a_failure_and_a_cancel) {
  hand_home home;
  hand_flow flow(home);
  std::vector<async::event> gates(3);
  flow.start_coroutine([&]() -> task<void> {
    co_await gather(thrown_after(gates[0], "failed"), value_after(gates[1], 1));
  });
  gates[0].complete();
  home.run_all();
  BOOST_TEST(!flow.ended);
  home.end();
  BOOST_TEST(flow.ended);
  BOOST_CHECK_THROW(std::rethrow_exception(flow.thrown), std::runtime_error);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(begins_no_branch_that_waits_once_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  std::vector<std::string> log;
  flow.start_coroutine([&]() -> task<void> {
    try {
      co_await async::until(never);
    } catch (const async::flow_cancelled&) {
    }
    co_await gather(noted(log, "a", never), noted(log, "b", never));
  });
  home.end();
  BOOST_TEST(flow.was_cancelled());
  const std::vector<std::string> expected{"a begins", "b begins"};
  BOOST_TEST(log == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(lets_every_branch_unwind_before_it_ends_when_cancelled) {
  hand_home home;
  hand_flow flow(home);
  std::vector<async::event> gates(3);
  int gone = 0;
  flow.start_coroutine([&]() -> task<void> {
    const witness outer(gone);
    std::vector<task<void>> branches;
    for (auto& gate : gates) {
      branches.push_back([](async::event& what, int& count) -> task<void> {
        const witness inner(count);
        co_await async::until(what);
      }(gate, gone));
    }
    co_await gather(std::move(branches));
  });
  home.end();
  BOOST_TEST(flow.ended);
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(gone == 4);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(can_hold_gathers) {
  hand_home home;
  hand_flow flow(home);
  std::vector<async::event> gates(4);
  int sum = 0;
  flow.start_coroutine([&]() -> task<void> {
    const auto [left, right] =
        co_await gather(gather(value_after(gates[0], 1), value_after(gates[1], 2)),
                        gather(value_after(gates[2], 3), value_after(gates[3], 4)));
    sum = std::get<0>(left) + std::get<1>(left) + std::get<0>(right) + std::get<1>(right);
  });
  for (auto& gate : gates) {
    gate.complete();
  }
  home.run_all();
  BOOST_TEST(flow.ended);
  BOOST_TEST(sum == 10);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::gather_test
