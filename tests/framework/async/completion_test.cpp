#include <mailroom/tests/framework/async/hand_home.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::tests::completion_test {
namespace {

constexpr int rounds = 2000;

task<void> waits(async::until& on) {
  co_await on;
}

std::string words_of(const std::exception_ptr& thrown) {
  try {
    if (thrown) {
      std::rethrow_exception(thrown);
    }
  } catch (const std::logic_error& misuse) {
    return misuse.what();
  }
  return "nothing was thrown";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(async_completion)

BOOST_AUTO_TEST_CASE(is_done_once_however_often_it_is_completed) {
  hand_home home;
  hand_flow flow(home);
  async::event what;
  flow.start_coroutine([&]() -> task<void> { co_await async::until(what); });
  BOOST_TEST(!what.done());
  what.complete();
  what.complete();
  BOOST_TEST(what.done());
  BOOST_TEST(home.run_all() == 1U);
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(lets_its_waiter_go) {
  hand_home home;
  async::flow flow;
  flow.where = &home;
  async::event what;
  async::waiter by;
  by.prepare(flow, {});
  BOOST_TEST(what.attach(by));
  BOOST_TEST(what.detach(by));
  BOOST_TEST(!what.done());
  what.complete();
  BOOST_TEST(home.run_all() == 0U);
}

BOOST_AUTO_TEST_CASE(does_not_let_go_what_it_has_continued) {
  hand_home home;
  hand_flow flow(home);
  async::event what;
  flow.start_coroutine([&]() -> task<void> { co_await async::until(what); });
  what.complete();
  async::waiter other;
  BOOST_TEST(!what.detach(other));
  home.run_all();
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(continues_its_waiter_once_when_both_come_at_the_same_time) {
  hand_home home;
  std::vector<async::event> events(rounds);
  starting_line line;
  std::thread completer([&] {
    for (int i = 0; i < rounds; ++i) {
      line.meet(i);
      events[static_cast<std::size_t>(i)].complete();
    }
  });
  int ended = 0;
  for (int i = 0; i < rounds; ++i) {
    hand_flow flow(home);
    line.meet(i);
    flow.start_coroutine(
        [&]() -> task<void> { co_await async::until(events[static_cast<std::size_t>(i)]); });
    while (!flow.ended) {
      home.wait_and_run();
    }
    ++ended;
    BOOST_REQUIRE(!home.anything_waiting());
  }
  completer.join();
  BOOST_TEST(ended == rounds);
  BOOST_TEST(home.run_all() == 0U);
}

BOOST_AUTO_TEST_CASE(either_lets_go_or_continues_when_a_cancel_comes_at_the_same_time) {
  hand_home home;
  std::vector<async::event> events(rounds);
  std::atomic<int> completed{0};
  starting_line line;
  std::thread completer([&] {
    for (int i = 0; i < rounds; ++i) {
      line.meet(i);
      events[static_cast<std::size_t>(i)].complete();
      completed.store(i + 1, std::memory_order_release);
    }
  });
  for (int i = 0; i < rounds; ++i) {
    hand_flow flow(home);
    flow.start_coroutine(
        [&]() -> task<void> { co_await async::until(events[static_cast<std::size_t>(i)]); });
    line.meet(i);
    home.end();
    while (completed.load(std::memory_order_acquire) <= i) {
      std::this_thread::yield();
    }
    home.run_all();  // If it was completed first, the work came after `end` had looked.
    BOOST_REQUIRE(flow.ended);
    BOOST_REQUIRE(flow.was_cancelled());
  }
  completer.join();
}

BOOST_AUTO_TEST_CASE(may_be_gone_when_its_waiter_continues) {
  hand_home home;
  starting_line line;
  std::atomic<async::event*> shared{nullptr};
  std::thread completer([&] {
    for (int i = 0; i < rounds; ++i) {
      async::event* what = nullptr;
      while ((what = shared.exchange(nullptr, std::memory_order_acquire)) == nullptr) {
        std::this_thread::yield();
      }
      what->complete();
    }
  });
  for (int i = 0; i < rounds; ++i) {
    hand_flow flow(home);
    flow.start_coroutine([&]() -> task<void> {
      const auto mine = std::make_unique<async::event>();
      shared.store(mine.get(), std::memory_order_release);
      co_await async::until(*mine);
    });
    while (!flow.ended) {
      home.wait_and_run();
    }
  }
  completer.join();
}

BOOST_AUTO_TEST_CASE(wakes_a_thread_of_no_actor) {
  for (int i = 0; i < 500; ++i) {
    auto what = std::make_unique<async::event>();
    std::thread completer([raw = what.get()] { raw->complete(); });
    BOOST_TEST(async::wait(*what));
    completer.join();
  }
}

// Who came second was told that it was done, and read an answer that was not there.
BOOST_AUTO_TEST_CASE(refuses_a_second_waiter_and_continues_the_first) {
  hand_home home;
  hand_flow first(home);
  hand_flow second(home);
  hand_flow on_fiber(home);
  async::event what;
  first.start_coroutine([&]() -> task<void> { co_await async::until(what); });
  second.start_coroutine([&]() -> task<void> { co_await async::until(what); });
  on_fiber.start_fiber([&] { async::wait(what); });
  for (auto* refused : {&second, &on_fiber}) {
    BOOST_TEST(refused->ended);
    BOOST_TEST(words_of(refused->thrown).find("awaited twice") == 0U);
  }
  BOOST_CHECK_THROW(async::wait(what), std::logic_error);  // A thread of no actor.
  BOOST_TEST(!first.ended);
  what.complete();
  home.run_all();
  BOOST_TEST(first.ended);
  BOOST_TEST(!first.thrown);
  BOOST_TEST(!home.anything_waiting());
}

// The second overwrote who is continued, so that the first never was.
BOOST_AUTO_TEST_CASE(refuses_to_be_awaited_twice_through_one_object) {
  hand_home home;
  hand_flow first(home);
  hand_flow second(home);
  async::event what;
  async::until shared(what);
  first.start_coroutine([&] { return waits(shared); });
  second.start_coroutine([&] { return waits(shared); });
  BOOST_TEST(second.ended);
  BOOST_TEST(words_of(second.thrown).find("awaited twice") == 0U);
  what.complete();
  home.run_all();
  BOOST_TEST(first.ended);
  BOOST_TEST(!first.thrown);
}

BOOST_AUTO_TEST_CASE(may_be_awaited_again_when_the_first_has_gone_on) {
  hand_home home;
  hand_flow first(home);
  hand_flow second(home);
  async::event what;
  async::until shared(what);
  first.start_coroutine([&] { return waits(shared); });
  what.complete();
  home.run_all();
  second.start_coroutine([&] { return waits(shared); });
  BOOST_TEST(first.ended);
  BOOST_TEST(second.ended);
  BOOST_TEST(!second.thrown);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::completion_test
