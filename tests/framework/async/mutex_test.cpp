#include <mailroom/tests/framework/async/hand_home.hpp>

#include <mailroom/framework/async/mutex.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::tests::mutex_test {
namespace {

// A flow that locks, notes its number, waits at its gate and unlocks.
struct customer {
  customer(hand_home& home, mailroom::mutex& shared, std::vector<int>& log, int number)
      : flow(home), of(shared), served(log), name(number) {}

  void start(bool on_fiber) {
    if (on_fiber) {
      flow.start_fiber([this] {
        const auto held = mailroom::wait(of.lock());
        served.push_back(name);
        async::wait(gate);
      });
    } else {
      flow.start_coroutine([this]() -> task<void> {
        const auto held = co_await of.lock();
        served.push_back(name);
        co_await async::until(gate);
      });
    }
  }

  hand_flow flow;
  mailroom::mutex& of;
  std::vector<int>& served;
  int name;
  async::event gate;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(async_mutex)

BOOST_AUTO_TEST_CASE(is_had_at_once_when_it_is_free) {
  hand_home home;
  hand_flow one(home);
  hand_flow other(home);
  mailroom::mutex m;
  one.start_coroutine([&]() -> task<void> { const auto held = co_await m.lock(); });
  other.start_fiber([&] { const auto held = mailroom::wait(m.lock()); });
  BOOST_TEST(one.ended);
  BOOST_TEST(other.ended);
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(serves_coroutines_and_fibers_in_the_order_of_their_coming) {
  hand_home home;
  mailroom::mutex m;
  std::vector<int> served;
  std::vector<std::unique_ptr<customer>> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(std::make_unique<customer>(home, m, served, i));
    all.back()->start(i % 2 == 1);
  }
  for (int i = 0; i < 6; ++i) {
    BOOST_TEST(served.size() == static_cast<std::size_t>(i) + 1);
    BOOST_TEST(served.back() == i);
    BOOST_TEST(!m.try_lock());
    all[static_cast<std::size_t>(i)]->gate.complete();
    home.run_all();
  }
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(cannot_be_had_by_who_comes_between_two_hands) {
  hand_home home;
  mailroom::mutex m;
  std::vector<int> served;
  customer first(home, m, served, 1);
  customer second(home, m, served, 2);
  first.start(false);
  second.start(false);
  first.gate.complete();
  home.run_one();  // It has unlocked, and the second has not gone on yet.
  BOOST_TEST(first.flow.ended);
  BOOST_TEST(served.size() == 1U);
  BOOST_TEST(!m.try_lock());
  second.gate.complete();
  home.run_all();
  BOOST_TEST(second.flow.ended);
}

BOOST_AUTO_TEST_CASE(is_unlocked_once_however_its_guard_goes) {
  mailroom::mutex m;
  auto held = m.try_lock();
  BOOST_TEST(bool(held));
  auto moved = std::move(held);
  held.unlock();
  BOOST_TEST(!m.try_lock());
  moved.unlock();
  moved.unlock();
  auto again = m.try_lock();
  BOOST_TEST(bool(again));
  again = mutex::guard();
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(is_unlocked_by_what_a_handler_throws) {
  hand_home home;
  hand_flow flow(home);
  mailroom::mutex m;
  flow.start_coroutine([&]() -> task<void> {
    const auto held = co_await m.lock();
    throw std::runtime_error("inside");
  });
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(is_not_asked_for_before_it_is_awaited) {
  mailroom::mutex m;
  { [[maybe_unused]] const auto never = m.lock(); }
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(is_left_by_who_is_cancelled_in_the_line) {
  hand_home home;
  hand_home leaving;
  mailroom::mutex m;
  std::vector<int> served;
  customer first(home, m, served, 1);
  customer second(leaving, m, served, 2);
  customer third(leaving, m, served, 3);
  customer fourth(home, m, served, 4);
  first.start(false);
  second.start(false);
  third.start(true);
  fourth.start(true);
  leaving.end();
  BOOST_TEST(second.flow.was_cancelled());
  BOOST_TEST(third.flow.was_cancelled());
  first.gate.complete();
  home.run_all();
  const std::vector<int> expected{1, 4};
  BOOST_TEST(served == expected, boost::test_tools::per_element());
  fourth.gate.complete();
  home.run_all();
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(is_unlocked_by_who_is_cancelled_while_it_holds_it) {
  hand_home home;
  hand_home leaving;
  mailroom::mutex m;
  std::vector<int> served;
  customer first(leaving, m, served, 1);
  customer second(home, m, served, 2);
  first.start(true);
  second.start(false);
  leaving.end();
  home.run_all();
  const std::vector<int> expected{1, 2};
  BOOST_TEST(served == expected, boost::test_tools::per_element());
  second.gate.complete();
  home.run_all();
}

// It was handed over before the cancel came: then it is had, and the next wait throws.
BOOST_AUTO_TEST_CASE(is_not_lost_when_a_cancel_comes_between_two_hands) {
  hand_home home;
  hand_home leaving;
  mailroom::mutex m;
  std::vector<int> served;
  customer first(home, m, served, 1);
  customer second(leaving, m, served, 2);
  first.start(false);
  second.start(true);
  first.gate.complete();
  home.run_all();
  leaving.end();
  BOOST_TEST(second.flow.ended);
  BOOST_TEST(second.flow.was_cancelled());
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(is_refused_to_who_has_been_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  mailroom::mutex m;
  flow.start_fiber([&] {
    try {
      async::wait(never);
    } catch (const async::flow_cancelled&) {
    }
    const auto held = mailroom::wait(m.lock());
  });
  home.end();
  BOOST_TEST(flow.was_cancelled());
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(keeps_handlers_on_many_threads_apart) {
  constexpr std::size_t homes = 4;
  constexpr int flows = 8;
  constexpr int rounds = under_tsan ? 50 : 400;
  mailroom::mutex m;
  long inside = 0;  // Guarded by m, and by nothing else.
  long together = 0;
  long entered = 0;
  const auto work = [&](hand_home& home) -> task<void> {
    for (int i = 0; i < rounds; ++i) {
      const auto held = co_await m.lock();
      together += ++inside == 1 ? 0 : 1;
      co_await next_turn(home);
      ++entered;
      --inside;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < homes; ++t) {
    threads.emplace_back([&] {
      hand_home home;
      std::vector<std::unique_ptr<hand_flow>> all;
      for (int i = 0; i < flows; ++i) {
        all.push_back(std::make_unique<hand_flow>(home));
        if (i % 2 == 0) {
          all.back()->start_coroutine([&] { return work(home); });
        } else {
          all.back()->start_fiber([&] { mailroom::wait(work(home)); });
        }
      }
      for (const auto& each : all) {
        while (!each->ended) {
          home.wait_and_run();
        }
      }
    });
  }
  for (auto& each : threads) {
    each.join();
  }
  BOOST_TEST(together == 0);
  BOOST_TEST(entered == static_cast<long>(homes) * flows * rounds);
  BOOST_TEST(bool(m.try_lock()));
}

BOOST_AUTO_TEST_CASE(is_consistent_when_unlock_and_cancel_come_at_the_same_time) {
  constexpr int rounds = 2000;
  mailroom::mutex m;
  std::atomic<mutex::guard*> held{nullptr};  // Handed over, since the lines order nothing.
  starting_line begin;
  starting_line end;
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      begin.meet(i);
      delete held.exchange(nullptr);
      end.meet(i);
    }
  });
  int got = 0;
  for (int i = 0; i < rounds; ++i) {
    hand_home home;
    hand_flow flow(home);
    auto mine = std::make_unique<mutex::guard>(m.try_lock());
    BOOST_REQUIRE(bool(*mine));
    held = mine.release();
    flow.start_coroutine([&]() -> task<void> {
      const auto locked = co_await m.lock();
      ++got;
    });
    begin.meet(i);
    home.end();
    end.meet(i);
    home.run_all();
    BOOST_REQUIRE(flow.ended);
    BOOST_REQUIRE(bool(m.try_lock()));
  }
  other.join();
  BOOST_TEST_MESSAGE(got << " of " << rounds << " got the lock");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::mutex_test
