#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/executors/parker.hpp>
#include <mailroom/framework/executors/run_queue.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>
#include <mailroom/framework/executors/turn_queue.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace mailroom::tests::queues_test {
using namespace executors;

BOOST_AUTO_TEST_SUITE(timers)

BOOST_AUTO_TEST_CASE(fire_what_is_due_in_order) {
  timer_queue queue;
  const time_point zero{};
  std::vector<int> fired;
  std::vector<std::unique_ptr<probe_timer>> all;
  std::uint32_t random = 1;
  for (int i = 0; i != 500; ++i) {
    all.push_back(std::make_unique<probe_timer>([&fired, i] { fired.push_back(i); }));
  }
  std::vector<int> due(500);
  const auto next_random = [&] { return (random = random * 1664525U + 1013904223U) >> 8U; };
  for (int round = 0; round != 3; ++round) {  // Armed, then moved around.
    for (std::size_t i = 0; i != all.size(); ++i) {
      due[i] = static_cast<int>(next_random() % 1000);
      queue.arm(*all[i], zero + std::chrono::milliseconds(due[i]));
    }
  }
  for (std::size_t i = 0; i < all.size(); i += 3) {
    timer_queue::cancel(*all[i]);
    due[i] = -1;
  }
  for (int now = 0; now <= 1000; now += 10) {
    queue.fire(zero + std::chrono::milliseconds(now));
    BOOST_REQUIRE((queue.next() > zero + std::chrono::milliseconds(now)));
  }
  BOOST_TEST(queue.size() == 0U);
  BOOST_TEST((queue.next() == time_point::max()));
  BOOST_TEST(fired.size() == 333U);
  BOOST_TEST(std::is_sorted(fired.begin(), fired.end(), [&](int a, int b) {
    return due[static_cast<std::size_t>(a)] < due[static_cast<std::size_t>(b)];
  }));
}

BOOST_AUTO_TEST_CASE(tell_when_the_sleeper_must_look_again) {
  timer_queue queue;
  const time_point zero{};
  probe_timer a([] {});
  probe_timer b([] {});
  BOOST_TEST(queue.arm(a, zero + 10ms));
  BOOST_TEST(!queue.arm(b, zero + 20ms));
  BOOST_TEST(queue.arm(b, zero + 5ms));
  BOOST_TEST(!queue.arm(b, zero + 7ms));
  BOOST_TEST((queue.next() == zero + 7ms));
  timer_queue::cancel(b);
  timer_queue::cancel(b);
  BOOST_TEST((queue.next() == zero + 10ms));
  timer_queue::cancel(a);
}

BOOST_AUTO_TEST_CASE(move_from_queue_to_queue) {
  timer_queue first;
  timer_queue second;
  int fired = 0;
  probe_timer moving([&] { ++fired; });
  first.arm(moving, time_point{} + 1ms);
  second.arm(moving, time_point{} + 2ms);
  BOOST_TEST(first.size() == 0U);
  BOOST_TEST(first.fire(time_point{} + 5ms) == 0U);
  BOOST_TEST(second.fire(time_point{} + 5ms) == 1U);
  BOOST_TEST(fired == 1);
}

BOOST_AUTO_TEST_CASE(cancel_waits_for_one_that_is_running) {
  timer_queue queue;
  tally running;
  std::atomic<bool> hold{true};
  std::atomic<bool> ended{false};
  probe_timer slow([&] {
    running.add();
    while (hold) {
      std::this_thread::yield();
    }
    ended = true;
  });
  queue.arm(slow, time_point{});
  std::thread fires([&] { queue.fire(time_point{} + 1s); });
  BOOST_REQUIRE(running.reaches(1));
  std::atomic<bool> seen_ended{false};
  tally cancelling;
  std::thread cancels([&] {
    cancelling.add();
    timer_queue::cancel(slow);
    seen_ended = ended.load();
  });
  BOOST_REQUIRE(cancelling.reaches(1));
  hold = false;
  cancels.join();
  fires.join();
  BOOST_TEST(seen_ended.load());
}

BOOST_AUTO_TEST_CASE(may_be_armed_anew_while_they_run) {
  timer_queue queue;
  tally running;
  std::atomic<bool> hold{true};
  probe_timer slow([&] {
    running.add();
    while (hold) {
      std::this_thread::yield();
    }
  });
  queue.arm(slow, time_point{});
  std::thread fires([&] { queue.fire(time_point{} + 1s); });
  BOOST_REQUIRE(running.reaches(1));
  queue.arm(slow, time_point{} + 1h);
  hold = false;
  fires.join();
  BOOST_TEST(queue.size() == 1U);
  BOOST_TEST(queue.fire(time_point{} + 2h) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stealing_queue)

BOOST_AUTO_TEST_CASE(gives_each_item_to_exactly_one_of_owner_and_thieves) {
#if defined(__SANITIZE_THREAD__)
  constexpr std::size_t count = 100'000;
#else
  constexpr std::size_t count = 1'000'000;
#endif
  run_queue queue;
  std::vector<std::atomic<int>> taken(count);
  const auto take = [&](void* item) { static_cast<std::atomic<int>*>(item)->fetch_add(1); };
  std::atomic<bool> over{false};
  std::vector<std::thread> thieves;
  std::atomic<std::size_t> stolen{0};
  for (int t = 0; t != 2; ++t) {
    thieves.emplace_back([&] {
      run_queue mine;
      void* first = nullptr;
      while (!over) {
        const auto got = queue.steal(mine, first);
        if (got == 0) {
          std::this_thread::yield();
          continue;
        }
        stolen += got;
        take(first);
        while (void* const item = mine.pop()) {
          take(item);
        }
      }
    });
  }
  std::vector<void*> overflow;
  for (std::size_t i = 0; i != count; ++i) {
    while (!queue.push(&taken[i])) {
      std::array<void*, run_queue::capacity / 2> older{};
      const auto spilled = queue.spill(older);
      std::for_each_n(older.begin(), spilled, take);
    }
    if (i % 7 == 0) {
      if (void* const item = queue.pop()) {
        take(item);
      }
    }
    if (i % 5000 == 0) {
      std::this_thread::yield();
    }
  }
  while (void* const item = queue.pop()) {
    take(item);
  }
  over = true;
  for (auto& thief : thieves) {
    thief.join();
  }
  BOOST_TEST(std::all_of(taken.begin(), taken.end(), [](const auto& times) { return times == 1; }));
  BOOST_TEST_MESSAGE("stolen: " << stolen.load());
}

BOOST_AUTO_TEST_CASE(gives_half_to_a_thief) {
  run_queue queue;
  run_queue mine;
  std::array<int, 7> items{};
  for (int& item : items) {
    BOOST_TEST(queue.push(&item));
  }
  void* first = nullptr;
  BOOST_TEST(queue.steal(mine, first) == 4U);
  BOOST_TEST(first == &items[0]);
  BOOST_TEST(mine.size() == 3U);
  BOOST_TEST(queue.size() == 3U);
  BOOST_TEST(mine.pop() == &items[1]);
  BOOST_TEST(queue.pop() == &items[4]);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(owned_queue)

BOOST_AUTO_TEST_CASE(keeps_what_came_from_outside_in_its_place) {
  turn_queue queue;
  std::array<int, 300> items{};
  for (std::size_t i = 0; i != items.size(); ++i) {
    if (i % 3 == 0) {
      BOOST_TEST(queue.push_from_outside(&items[i]));
    } else {
      queue.push(&items[i]);
    }
  }
  BOOST_TEST(queue.size() == items.size());
  for (auto& item : items) {
    BOOST_REQUIRE(queue.pop() == &item);
  }
  BOOST_TEST(queue.pop() == nullptr);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(returns_what_is_left_and_takes_nothing_once_closed) {
  turn_queue queue;
  std::array<int, 3> items{};
  queue.push(&items[0]);
  BOOST_TEST(queue.push_from_outside(&items[1]));
  BOOST_TEST((queue.close() == std::vector<void*>{&items[0], &items[1]}));
  BOOST_TEST(!queue.push_from_outside(&items[2]));
  BOOST_TEST(queue.close().empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(sleeper)

BOOST_AUTO_TEST_CASE(sleeps_until_the_time_or_until_woken) {
  parker place;
  BOOST_TEST(!place.wake());  // Nobody there.
  place.announce();
  const auto start = clock::now();
  BOOST_TEST(!place.sleep(start + 10ms));
  BOOST_TEST((clock::now() >= start + 10ms));
  BOOST_TEST(!place.wake());
  place.announce();
  BOOST_TEST(place.wake());  // Before it sleeps.
  BOOST_TEST(place.sleep());
  place.announce();
  BOOST_TEST(!place.sleep(time_point{}));  // Long ago.
  std::thread other([&] { eventually([&] { return place.wake(); }); });
  place.announce();
  BOOST_TEST(place.sleep());
  other.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::queues_test
