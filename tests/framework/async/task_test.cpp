#include <mailroom/tests/framework/async/hand_home.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace mailroom::tests::task_test {
namespace {

// Where on the stack we are, roughly.
[[gnu::noinline]] std::uintptr_t stack_position() {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

task<int> at_once(int value) {
  co_return value;
}

task<int> after(async::event& what, int value) {
  co_await async::until(what);
  co_return value;
}

task<void> failing() {
  throw std::runtime_error("as told");
  co_return;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(async_task)

BOOST_AUTO_TEST_CASE(does_not_grow_the_stack_in_a_million_awaits_that_complete_at_once) {
  hand_home home;
  hand_flow flow(home);
  std::uintptr_t lowest = UINTPTR_MAX;
  std::uintptr_t highest = 0;
  std::int64_t sum = 0;
  flow.start_coroutine([&]() -> task<void> {
    for (int i = 0; i < 1'000'000; ++i) {
      sum += co_await at_once(1);
      const auto here = stack_position();
      lowest = std::min(lowest, here);
      highest = std::max(highest, here);
    }
  });
  BOOST_TEST(flow.ended);
  BOOST_TEST(sum == 1'000'000);
  BOOST_TEST(highest - lowest < 4096U);
}

BOOST_AUTO_TEST_CASE(does_not_grow_the_stack_when_each_await_was_continued_by_a_turn) {
  hand_home home;
  hand_flow flow(home);
  std::uintptr_t lowest = UINTPTR_MAX;
  std::uintptr_t highest = 0;
  std::unique_ptr<async::event> next;
  flow.start_coroutine([&]() -> task<void> {
    for (int i = 0; i < 100'000; ++i) {
      next = std::make_unique<async::event>();
      co_await after(*next, i);
      const auto here = stack_position();
      lowest = std::min(lowest, here);
      highest = std::max(highest, here);
    }
  });
  while (!flow.ended) {
    next->complete();
    home.run_all();
  }
  BOOST_TEST(highest - lowest < 4096U);
}

BOOST_AUTO_TEST_CASE(does_not_run_before_it_is_awaited) {
  hand_home home;
  hand_flow flow(home);
  bool ran = false;
  flow.start_coroutine([&]() -> task<void> {
    auto lazy = [](bool& set) -> task<void> {
      set = true;
      co_return;
    }(ran);
    BOOST_TEST(!ran);
    co_await lazy;
    BOOST_TEST(ran);
  });
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(passes_exceptions_on) {
  hand_home home;
  hand_flow flow(home);
  std::string said;
  flow.start_coroutine([&]() -> task<void> {
    try {
      co_await failing();
    } catch (const std::runtime_error& thrown) {
      said = thrown.what();
    }
  });
  BOOST_TEST(flow.ended);
  BOOST_TEST(said == "as told");
}

BOOST_AUTO_TEST_CASE(passes_exceptions_on_after_it_was_suspended) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  flow.start_coroutine([&]() -> task<void> {
    co_await [](async::event& what) -> task<void> {
      co_await async::until(what);
      co_await failing();
    }(go);
  });
  BOOST_TEST(!flow.ended);
  go.complete();
  home.run_all();
  BOOST_TEST(flow.ended);
  BOOST_CHECK_THROW(std::rethrow_exception(flow.thrown), std::runtime_error);
}

// The second resumed a coroutine that had ended, or that waited for something else.
BOOST_AUTO_TEST_CASE(refuses_to_be_awaited_twice) {
  hand_home home;
  async::event go;
  auto shared = [](async::event& what) -> task<int> {
    co_await async::until(what);
    co_return 42;
  }(go);
  const auto awaits = [](task<int>& what) -> task<void> { BOOST_TEST(co_await what == 42); };
  hand_flow first(home);
  hand_flow second(home);
  hand_flow third(home);
  first.start_coroutine([&] { return awaits(shared); });
  second.start_coroutine([&] { return awaits(shared); });
  BOOST_TEST(!first.ended);
  BOOST_CHECK_THROW(std::rethrow_exception(second.thrown), std::logic_error);
  go.complete();
  home.run_all();
  BOOST_TEST(first.ended);
  BOOST_TEST(!first.thrown);
  third.start_coroutine([&] { return awaits(shared); });
  BOOST_CHECK_THROW(std::rethrow_exception(third.thrown), std::logic_error);
}

BOOST_AUTO_TEST_CASE(moves_its_value) {
  hand_home home;
  hand_flow flow(home);
  int got = 0;
  flow.start_coroutine([&]() -> task<void> {
    const std::unique_ptr<int> value =
        co_await []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(42); }();
    got = *value;
  });
  BOOST_TEST(got == 42);
}

BOOST_AUTO_TEST_CASE(frees_a_frame_that_was_never_awaited) {
  int gone = 0;
  {
    const auto never = [](witness) -> task<void> { co_return; }(witness(gone));
    BOOST_TEST(gone == 0);
  }
  BOOST_TEST(gone == 1);
}

BOOST_AUTO_TEST_CASE(unwinds_every_frame_when_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  int gone = 0;
  flow.start_coroutine([&]() -> task<void> {
    const witness outer(gone);
    co_await [](async::event& what, int& count) -> task<void> {
      const witness inner(count);
      co_await async::until(what);
    }(never, gone);
  });
  BOOST_TEST(gone == 0);
  BOOST_TEST(home.anything_waiting());
  home.end();
  BOOST_TEST(gone == 2);
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(!home.anything_waiting());
}

BOOST_AUTO_TEST_CASE(cannot_wait_again_once_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  int attempts = 0;
  flow.start_coroutine([&]() -> task<void> {
    for (int i = 0; i < 3; ++i) {
      try {
        co_await async::until(never);
      } catch (const async::flow_cancelled&) {
        ++attempts;
      }
    }
  });
  home.end();
  BOOST_TEST(flow.ended);
  BOOST_TEST(attempts == 3);
}

BOOST_AUTO_TEST_CASE(is_not_caught_by_handlers_of_std_exception_when_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  bool swallowed = false;
  flow.start_coroutine([&]() -> task<void> {
    try {
      co_await async::until(never);
    } catch (const std::exception&) {
      swallowed = true;
    }
  });
  home.end();
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(!swallowed);
}

BOOST_AUTO_TEST_CASE(is_cancelled_even_when_what_it_waits_for_has_just_come) {
  hand_home home;
  hand_flow flow(home);
  async::event what;
  flow.start_coroutine([&]() -> task<void> { co_await async::until(what); });
  what.complete();  // On its way to the home, not there yet.
  home.end();
  BOOST_TEST(flow.ended);
  BOOST_TEST(flow.was_cancelled());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::task_test
