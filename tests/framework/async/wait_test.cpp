#include <mailroom/tests/framework/async/hand_home.hpp>
#include <mailroom/tests/framework/async/misuse.hpp>

#include <mailroom/framework/async/wait.hpp>
#include <mailroom/framework/base/result.hpp>

#include <boost/test/unit_test.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// Between fibers and coroutines, both ways.

namespace mailroom::tests::wait_test {
namespace {

task<int> fails_after(async::event& what, std::string words) {
  co_await async::until(what);
  throw std::runtime_error(words);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(async_wait)

BOOST_AUTO_TEST_CASE(yields_the_value_of_a_task_to_a_fiber) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int got = 0;
  flow.start_fiber([&] { got = mailroom::wait(value_after(go, 7)); });
  BOOST_TEST(!flow.ended);
  go.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  BOOST_TEST(got == 7);
}

BOOST_AUTO_TEST_CASE(does_not_park_for_what_ends_at_once) {
  hand_home home;
  hand_flow flow(home);
  int got = 0;
  flow.start_fiber([&] {
    got = mailroom::wait([]() -> task<int> { co_return 7; }());
    mailroom::wait([]() -> task<void> { co_return; }());
  });
  BOOST_TEST(flow.ended);
  BOOST_TEST(got == 7);
}

BOOST_AUTO_TEST_CASE(throws_on_what_a_task_throws) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  std::string said;
  flow.start_fiber([&] {
    try {
      mailroom::wait(fails_after(go, "from the task"));
    } catch (const std::runtime_error& thrown) {
      said = thrown.what();
    }
  });
  go.complete();
  home.run_all();
  BOOST_TEST(said == "from the task");
}

BOOST_AUTO_TEST_CASE(takes_values_that_only_move) {
  hand_home home;
  hand_flow flow(home);
  std::unique_ptr<int> got;
  flow.start_fiber([&] {
    got = mailroom::wait(
        []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); }());
  });
  BOOST_TEST_REQUIRE(got);
  BOOST_TEST(*got == 7);
}

BOOST_AUTO_TEST_CASE(lets_others_run_meanwhile) {
  hand_home home;
  hand_flow waiting(home);
  hand_flow other(home);
  async::event go;
  async::event others;
  waiting.start_fiber([&] { mailroom::wait(value_after(go, 1)); });
  other.start_fiber([&] { mailroom::wait(async::until(others)); });
  others.complete();
  home.run_all();
  BOOST_TEST(other.ended);
  BOOST_TEST(!waiting.ended);
  go.complete();
  home.run_all();
  BOOST_TEST(waiting.ended);
}

BOOST_AUTO_TEST_CASE(knows_its_flow_afterwards_and_the_task_its_own) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  flow.start_fiber([&] {
    const auto part = [&]() -> task<void> {
      BOOST_TEST((async::current_flow()->how == async::style::coroutine));
      BOOST_TEST(async::current_flow()->name == "test.flow");
      co_await async::until(go);
      BOOST_TEST((async::current_flow()->how == async::style::coroutine));
    };
    mailroom::wait(part());
    BOOST_TEST(async::current_flow() == &flow.flow());
  });
  BOOST_TEST(async::current_flow() == nullptr);
  go.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(gathers_on_a_fiber) {
  hand_home home;
  hand_flow flow(home);
  async::event first;
  async::event second;
  int sum = 0;
  flow.start_fiber([&] {
    const auto [a, b] = mailroom::wait(gather(value_after(first, 1), value_after(second, 2)));
    sum = a + b;
  });
  second.complete();
  home.run_all();
  first.complete();
  home.run_all();
  BOOST_TEST(sum == 3);
}

BOOST_AUTO_TEST_CASE(unwinds_fiber_and_task_when_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  int gone = 0;
  flow.start_fiber([&] {
    const witness outer(gone);
    const auto inner = [&]() -> task<void> {
      const witness deep(gone);
      co_await async::until(never);
    };
    mailroom::wait(inner());
  });
  home.end();
  BOOST_TEST(flow.ended);
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(gone == 2);
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(begins_nothing_once_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  bool begun = false;
  flow.start_fiber([&] {
    try {
      async::wait(never);
    } catch (const async::flow_cancelled&) {
    }
    const auto late = [&]() -> task<void> {
      begun = true;
      co_return;
    };
    mailroom::wait(late());
  });
  home.end();
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(!begun);
}

BOOST_AUTO_TEST_CASE(keeps_what_was_caught_while_it_waits_for_tasks_that_throw_and_catch) {
  hand_home home;
  hand_flow flow(home);
  async::event first;
  async::event second;
  std::vector<std::string> said;
  flow.start_fiber([&] {
    const auto part = [&](async::event& what, std::string words) -> task<int> {
      for (int i = 0; i < 2; ++i) {
        try {
          throw std::runtime_error(words);
        } catch (const std::runtime_error& thrown) {
          said.emplace_back(thrown.what());
        }
        co_await async::until(what);
      }
      throw std::runtime_error(words + " for good");
    };
    try {
      throw std::out_of_range("outside");
    } catch (const std::exception&) {
      try {
        mailroom::wait(gather(part(first, "a"), part(second, "b")));
      } catch (const std::runtime_error& thrown) {
        said.emplace_back(thrown.what());
      }
      try {
        throw;
      } catch (const std::out_of_range& thrown) {
        said.emplace_back(thrown.what());
      }
    }
    BOOST_TEST(!std::current_exception());
  });
  BOOST_TEST(!std::current_exception());
  second.complete();
  home.run_all();
  first.complete();
  home.run_all();
  const std::vector<std::string> expected{"a", "b", "b", "a", "b for good", "outside"};
  BOOST_TEST(said == expected, boost::test_tools::per_element());
}

// A task begins on the fiber that waits for it, and goes on elsewhere: it must not notice.
BOOST_AUTO_TEST_CASE(begins_a_task_as_if_no_exception_were_in_flight) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  std::vector<int> uncaught;
  const auto part = [&]() -> task<void> {
    BOOST_TEST(!std::current_exception());
    uncaught.push_back(std::uncaught_exceptions());
    co_await async::until(go);
    BOOST_TEST(!std::current_exception());
    uncaught.push_back(std::uncaught_exceptions());
  };
  struct waits_while_unwinding {
    const std::function<task<void>()>& what;
    std::vector<int>& noted;
    ~waits_while_unwinding() {
      mailroom::wait(what());
      noted.push_back(std::uncaught_exceptions());
    }
  };
  const std::function<task<void>()> made = part;
  flow.start_fiber([&] {
    try {
      throw std::out_of_range("caught");
    } catch (const std::out_of_range&) {
      const waits_while_unwinding guard{made, uncaught};
      throw std::runtime_error("in flight");
    }
  });
  BOOST_TEST(std::uncaught_exceptions() == 0);
  go.complete();
  home.run_all();
  const std::vector<int> expected{0, 0, 1};
  BOOST_TEST(uncaught == expected, boost::test_tools::per_element());
  BOOST_CHECK_THROW(std::rethrow_exception(flow.thrown), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(is_refused_to_a_plain_handler_with_its_name_and_the_remedies) {
  hand_home home;
  hand_flow flow(home);
  flow.flow().how = async::style::plain;
  async::event done;
  done.complete();
  const async::flow_scope scope(&flow.flow());
  const auto words = refusal([&] { mailroom::wait(value_after(done, 1)); });
  BOOST_TEST(names(words, {"would_block", "test.flow", "plain", "suspending", "co_await"}), words);
}

BOOST_AUTO_TEST_CASE(is_refused_to_a_coroutine_with_its_name_and_the_remedies) {
  hand_home home;
  hand_flow flow(home);
  async::event done;
  done.complete();
  std::string words;
  flow.start_coroutine([&]() -> task<void> {
    words = refusal([&] { mailroom::wait(value_after(done, 1)); });
    co_return;
  });
  BOOST_TEST(names(words, {"would_block", "test.flow", "coroutine", "co_await", "on_fiber"}),
             words);
}

BOOST_AUTO_TEST_CASE(is_refused_to_a_task_that_a_fiber_waits_for) {
  hand_home home;
  hand_flow flow(home);
  async::event done;
  done.complete();
  std::string words;
  flow.start_fiber([&] {
    const auto part = [&]() -> task<void> {
      words = refusal([&] { mailroom::wait(value_after(done, 1)); });
      co_return;
    };
    mailroom::wait(part());
  });
  BOOST_TEST(names(words, {"would_block", "coroutine"}), words);
}

BOOST_AUTO_TEST_CASE(is_refused_outside_of_handlers) {
  async::event done;
  done.complete();
  const auto words = refusal([&] { mailroom::wait(value_after(done, 1)); });
  BOOST_TEST(names(words, {"would_block", "outside", "future_call", "node.run"}), words);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::wait_test
