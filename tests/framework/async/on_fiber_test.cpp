#include <mailroom/tests/framework/async/hand_home.hpp>
#include <mailroom/tests/framework/async/misuse.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/sleep.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

// From coroutines to fibers.

namespace mailroom::tests::on_fiber_test {
namespace {}  // namespace

BOOST_AUTO_TEST_SUITE(async_on_fiber)

BOOST_AUTO_TEST_CASE(yields_the_result_of_what_waits_to_a_coroutine) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int got = 0;
  flow.start_coroutine([&]() -> task<void> {
    got = co_await on_fiber([&] {
      async::wait(go);
      return 7;
    });
  });
  BOOST_TEST(!flow.ended);
  BOOST_TEST(home.fibers == 1);
  go.complete();
  home.run_all();
  BOOST_TEST(home.fibers == 0);
  BOOST_TEST(flow.ended);
  BOOST_TEST(got == 7);
}

BOOST_AUTO_TEST_CASE(goes_on_at_once_after_what_does_not_wait) {
  hand_home home;
  hand_flow flow(home);
  bool ran = false;
  flow.start_coroutine([&]() -> task<void> { co_await on_fiber([&] { ran = true; }); });
  BOOST_TEST(flow.ended);
  BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(does_not_run_before_it_is_awaited) {
  hand_home home;
  hand_flow flow(home);
  std::vector<std::string> log;
  flow.start_coroutine([&]() -> task<void> {
    auto later = on_fiber([&] { log.emplace_back("ran"); });
    log.emplace_back("made");
    co_await later;
  });
  const std::vector<std::string> expected{"made", "ran"};
  BOOST_TEST(log == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(throws_on_what_the_function_throws) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  flow.start_coroutine([&]() -> task<void> {
    co_await on_fiber([&] {
      async::wait(go);
      throw std::runtime_error("from the fiber");
    });
  });
  go.complete();
  home.run_all();
  BOOST_CHECK_THROW(std::rethrow_exception(flow.thrown), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(sleeps_and_waits_for_tasks_inside) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int got = 0;
  flow.start_coroutine([&]() -> task<void> {
    got = co_await on_fiber([&] {
      mailroom::sleep(10ms);
      return mailroom::wait(value_after(go, 7));
    });
  });
  home.pass(10ms);
  BOOST_TEST(!flow.ended);
  go.complete();
  home.run_all();
  BOOST_TEST(got == 7);
}

BOOST_AUTO_TEST_CASE(runs_beside_other_branches) {
  hand_home home;
  hand_flow flow(home);
  async::event first;
  async::event second;
  std::vector<std::string> log;
  const auto branch = [&log](const std::string& name, async::event& what) {
    log.push_back(name + " begins");
    async::wait(what);
    log.push_back(name + " ends");
  };
  flow.start_coroutine([&]() -> task<void> {
    co_await gather(on_fiber([&] { branch("a", first); }), on_fiber([&] { branch("b", second); }));
  });
  second.complete();
  home.run_all();
  first.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  const std::vector<std::string> expected{"a begins", "b begins", "b ends", "a ends"};
  BOOST_TEST(log == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(can_be_waited_for_on_a_fiber) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int got = 0;
  flow.start_fiber([&] {
    got = mailroom::wait(on_fiber([&] {
      async::wait(go);
      return 7;
    }));
  });
  go.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  BOOST_TEST(got == 7);
}

BOOST_AUTO_TEST_CASE(goes_up_and_down_a_hundred_times) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int deepest = 0;
  const std::function<task<int>(int)> descend = [&](int level) -> task<int> {
    if (level == 0) {
      co_await async::until(go);
      co_return 0;
    }
    deepest = std::max(deepest, level);
    const auto below = co_await on_fiber([&] { return mailroom::wait(descend(level - 1)); });
    co_return below + 1;
  };
  int got = 0;
  flow.start_coroutine([&]() -> task<void> { got = co_await descend(100); });
  BOOST_TEST(!flow.ended);
  go.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  BOOST_TEST(got == 100);
}

BOOST_AUTO_TEST_CASE(unwinds_before_the_coroutine_when_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  std::vector<std::string> log;
  struct leaving {
    std::vector<std::string>& to;
    const char* name;
    ~leaving() { to.emplace_back(name); }
  };
  flow.start_coroutine([&]() -> task<void> {
    const leaving outer{log, "coroutine"};
    co_await on_fiber([&] {
      const leaving inner{log, "fiber"};
      async::wait(never);
    });
  });
  home.end();
  BOOST_TEST(flow.was_cancelled());
  const std::vector<std::string> expected{"fiber", "coroutine"};
  BOOST_TEST(log == expected, boost::test_tools::per_element());
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(tells_who_waits_for_its_own_fiber) {
  hand_home home;
  hand_flow flow(home);
  std::string words;
  flow.start_coroutine([&]() -> task<void> {
    const auto waits = [](auto& self) { mailroom::wait(self); };
    std::function<void()> body;
    auto operation = on_fiber([&body] { body(); });
    body = [&] { words = refusal([&] { waits(operation); }); };
    co_await operation;
  });
  BOOST_TEST(flow.ended);
  BOOST_TEST(names(words, {"deadlock", "test.flow", "its own end"}), words);
}

BOOST_AUTO_TEST_CASE(is_awaited_once) {
  hand_home home;
  hand_flow flow(home);
  int runs = 0;
  flow.start_coroutine([&]() -> task<void> {
    auto operation = on_fiber([&] { ++runs; });
    co_await operation;
    co_await operation;
  });
  BOOST_TEST(runs == 1);
  const auto words = refusal([&] { std::rethrow_exception(flow.thrown); });
  BOOST_TEST(names(words, {"awaited twice"}), words);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::on_fiber_test
