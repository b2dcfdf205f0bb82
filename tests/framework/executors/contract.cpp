#include <mailroom/tests/framework/executors/contract.hpp>

#include <algorithm>
#include <array>
#include <thread>

namespace mailroom::tests::contract {

using namespace mailroom::executors;

namespace {

void burn_for(duration wanted) {
  const auto end = clock::now() + wanted;
  while (clock::now() < end) {
  }
}

}  // namespace

void names_its_threads(std::string_view policy, const std::set<std::string>& names) {
  station at(policy, names.size());
  std::set<std::string> seen;
  std::size_t own = 0;
  for (std::uint32_t i = 0; i != names.size(); ++i) {
    at.run_once(
        [&] {
          seen.insert(this_thread_name());
          own += at->on_own_thread() ? 1U : 0U;
        },
        affinity::worker(i));
  }
  BOOST_TEST(own == names.size());
  BOOST_TEST(!at->on_own_thread());
  BOOST_TEST(seen == names, boost::test_tools::per_element());
  BOOST_TEST(at->stats().threads == names.size());
  BOOST_TEST(at->stats().policy == policy);
  BOOST_TEST(at->stats().name == "tested");
}

void wakes_for_every_item_from_outside(std::string_view policy) {
  // Each round submits when the executor is asleep, about to be, or still busy with the round
  // before.
  station at(policy);
  std::atomic<int> ran{0};
  job item{[&](executor&) {
    ran.fetch_add(1);
    return verdict::done;
  }};
  for (int round = 1; round <= 20'000; ++round) {
    at->submit(&item);
    BOOST_REQUIRE(eventually([&] { return ran.load() == round; }));
    if (round % 7 == 0) {
      burn_for(std::chrono::microseconds(round % 49));
    }
  }
  at->stop(deadline::none());
}

void every_submitted_item_runs_exactly_once_under_load(std::string_view policy) {
  constexpr int producers = 3;
  constexpr int items_each = 200;
#if defined(__SANITIZE_THREAD__)
  constexpr int submissions = 60'000;
#else
  constexpr int submissions = 333'334;
#endif
  struct item final : job {
    std::atomic<bool> out{false};
    std::atomic<int> runs{0};
    int submitted = 0;
    int follow_ups = 0;  // How often its turn has submitted it anew, or wanted another turn.
    std::uint32_t home = 0;
  };
  station at(policy, 3);
  std::atomic<int> errors{0};
  std::atomic<int> extra{0};
  std::vector<std::unique_ptr<item>> items;
  for (int i = 0; i != producers * items_each; ++i) {
    auto made = std::make_unique<item>();
    item& self = *made;
    self.home = static_cast<std::uint32_t>(i);
    const bool is_pinned = i % 4 == 0;
    self.turn = [&self, &errors, &extra, is_pinned](executor& where) {
      const int runs = self.runs.fetch_add(1) + 1;
      if (!self.out.load()) {
        ++errors;
      }
      if (runs % 10 == 0) {
        ++self.follow_ups;
        extra.fetch_add(1, std::memory_order_relaxed);
        return verdict::again;
      }
      if (runs % 10 == 5) {
        ++self.follow_ups;
        extra.fetch_add(1, std::memory_order_relaxed);
        where.submit(&self, is_pinned ? affinity::worker(self.home) : affinity::anywhere());
        return verdict::done;
      }
      self.out.store(false);
      return verdict::done;
    };
    items.push_back(std::move(made));
  }
  std::vector<std::thread> threads;
  for (int p = 0; p != producers; ++p) {
    threads.emplace_back([&, p] {
      for (int n = 0; n != submissions; ++n) {
        item& next = *items[static_cast<std::size_t>(p * items_each + n % items_each)];
        while (next.out.load()) {
          std::this_thread::yield();
        }
        next.out.store(true);
        ++next.submitted;
        at->submit(&next, next.home % 4 == 0 ? affinity::worker(next.home) : affinity::anywhere());
      }
    });
  }
  for (auto& each : threads) {
    each.join();
  }
  const auto left = at->stop(deadline::none());
  BOOST_TEST(left.empty());
  BOOST_TEST(errors.load() == 0);
  int wrong = 0;
  for (const auto& each : items) {
    wrong += each->runs == each->submitted + each->follow_ups ? 0 : 1;
  }
  BOOST_TEST(wrong == 0);
  BOOST_TEST(at->stats().turns ==
             static_cast<std::uint64_t>(producers * submissions + extra.load()));
  BOOST_TEST(at->stats().queued == 0U);
}

void runs_items_submitted_before_the_start(std::string_view policy) {
  station at(policy, 2, false);
  tally ran;
  job item{[&](executor&) {
    ran.add();
    return verdict::done;
  }};
  job pinned = item;
  at->submit(&item);
  at->submit(&pinned, affinity::worker(1));
  BOOST_TEST(!ran.reaches(1, 5ms));
  at->start();
  BOOST_TEST(ran.reaches(2));
  at->stop(deadline::none());
}

void again_lets_the_others_have_their_turn(std::string_view policy) {
  station at(policy, 1);
  std::atomic<bool> enough{false};
  job greedy{[&](executor&) { return enough ? verdict::done : verdict::again; }};
  job greedy_too = greedy;
  at->submit(&greedy);
  at->submit(&greedy_too, affinity::worker(0));
  for (int round = 0; round != 10; ++round) {
    at.run_once([] {});
    at.run_once([] {}, affinity::worker(0));
  }
  enough = true;
  BOOST_TEST(at->stop(deadline::none()).empty());
}

void pinned_items_stay_on_their_worker(std::string_view policy) {
  station at(policy, 3);
  const auto workers = static_cast<std::uint32_t>(at->workers());
  std::vector<std::thread::id> homes(workers);
  for (std::uint32_t i = 0; i != workers; ++i) {
    at.run_once([&, i] { homes[i] = std::this_thread::get_id(); }, affinity::worker(i));
  }
  BOOST_TEST((std::set<std::thread::id>(homes.begin(), homes.end()).size() == workers));

  // Under load, from outside, from their own worker and from others, and with turns that want more.
  std::atomic<int> astray{0};
  tally finished;
  std::vector<std::unique_ptr<job>> items;
  constexpr std::uint32_t count = 30;
  for (std::uint32_t i = 0; i != count; ++i) {
    items.push_back(std::make_unique<job>());
    items.back()->turn = [&, i, runs = 0, self = items.back().get()](executor& where) mutable {
      astray += homes[i % workers] == std::this_thread::get_id() ? 0 : 1;
      if (++runs == 500) {
        finished.add();
        return verdict::done;
      }
      if (runs % 2 == 0) {
        return verdict::again;
      }
      where.submit(self, affinity::worker(i));
      return verdict::done;
    };
  }
  std::vector<std::unique_ptr<job>> others;
  for (std::uint32_t i = 0; i != count; ++i) {
    at->submit(items[i].get(), affinity::worker(i));
    others.push_back(std::make_unique<job>(job{
        [runs = 0](executor&) mutable { return ++runs == 500 ? verdict::done : verdict::again; }}));
    at->submit(others.back().get());
  }
  BOOST_TEST(finished.reaches(count));
  BOOST_TEST(astray.load() == 0);
  BOOST_TEST(at->stop(deadline::none()).empty());
}

void timers_fire_in_order_and_cancel_is_final(std::string_view policy) {
  station at(policy);
  const auto start = clock::now();
  std::mutex mutex;
  std::vector<int> order;
  tally done;
  std::atomic<int> foreign{0};
  const auto note = [&](int which) {
    foreign += at->on_own_thread() ? 0 : 1;
    const std::lock_guard lock(mutex);
    order.push_back(which);
    done.add();
  };
  probe_timer first([&] { note(1); });
  probe_timer second([&] { note(2); });
  probe_timer third([&] { note(3); });
  probe_timer never([&] { note(0); });
  at->arm(third, start + 30ms);
  at->arm(never, start + 15ms);
  at->arm(second, start + 1h);
  at->arm(first, start + 10ms);
  at->arm(second, start + 20ms);  // Moved to an earlier time.
  at->cancel(never);
  BOOST_REQUIRE(done.reaches(3));
  BOOST_TEST((clock::now() - start >= 30ms));
  BOOST_TEST(order == (std::vector<int>{1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(foreign.load() == 0);

  // A timer may be destroyed as soon as `cancel` returned, however close it is to firing.
  for (int round = 0; round != 2000; ++round) {
    std::atomic<bool> alive{true};
    std::atomic<bool> fired_late{false};
    {
      probe_timer close([&] { fired_late = !alive; });
      at->arm(close, clock::now() + std::chrono::microseconds(round % 20));
      if (round % 3 == 0) {
        std::this_thread::yield();
      }
      at->cancel(close);
      alive = false;
    }
    BOOST_REQUIRE(!fired_late);
  }
  at->stop(deadline::none());
}

void an_earlier_timer_wakes_the_sleeper(std::string_view policy) {
  station at(policy);
  probe_timer far([] {});
  tally fired;
  probe_timer near([&] { fired.add(); });
  at->arm(far, clock::now() + 1h);
  for (int round = 1; round <= 50; ++round) {
    if (round % 2 == 0) {
      at->arm(near, clock::now() + 100us);
    } else {
      at.run_once([&] { at->arm(near, clock::now() + 100us); });
    }
    BOOST_REQUIRE(fired.reaches(round));
  }
  at->cancel(far);
}

void timers_submit_items(std::string_view policy) {
  station at(policy);
  tally ran;
  job item{[&](executor&) {
    ran.add();
    return verdict::done;
  }};
  probe_timer alarm([&] { at->submit(&item); });
  for (int round = 1; round <= 20; ++round) {
    at->arm(alarm, clock::now() + 200us);
    BOOST_REQUIRE(ran.reaches(round));
  }
  at->cancel(alarm);
  at->stop(deadline::none());
}

void stop_runs_what_is_queued_and_what_that_submits(std::string_view policy) {
  for (int round = 0; round != 20; ++round) {
    station at(policy, 3);
    std::atomic<int> ran{0};
    std::vector<job> chain(300);
    for (std::size_t i = 0; i != chain.size(); ++i) {
      chain[i].turn = [&, i](executor& where) {
        ++ran;
        if (i + 1 < chain.size()) {
          const auto next = static_cast<std::uint32_t>(i + 1);
          where.submit(&chain[i + 1],
                       next % 3 == 0 ? affinity::anywhere() : affinity::worker(next));
        }
        return verdict::done;
      };
    }
    at->submit(&chain[0]);
    BOOST_REQUIRE(at->stop(deadline::none()).empty());
    BOOST_REQUIRE(ran.load() == 300);
  }
}

void stop_returns_items_left_after_the_deadline(std::string_view policy) {
  station at(policy, 3);
  std::vector<job> endless(20);
  std::set<void*> expected;
  for (std::size_t i = 0; i != endless.size(); ++i) {
    endless[i].turn = [](executor&) { return verdict::again; };
    expected.insert(&endless[i]);
    at->submit(&endless[i],
               i % 2 == 0 ? affinity::anywhere() : affinity::worker(static_cast<std::uint32_t>(i)));
  }
  const auto start = clock::now();
  const auto left = at->stop(deadline(start + 20ms));
  BOOST_TEST((clock::now() - start >= 20ms));
  BOOST_TEST(left.size() == endless.size());
  BOOST_TEST((std::set<void*>(left.begin(), left.end()) == expected));
}

void drops_what_is_submitted_after_stop(std::string_view policy) {
  station at(policy);
  at.run_once([] {});
  BOOST_TEST(at->stop(deadline::none()).empty());
  std::atomic<int> ran{0};
  job item{[&](executor&) {
    ++ran;
    return verdict::done;
  }};
  at->submit(&item);
  at->submit(&item, affinity::worker(1));
  for (const auto& loop : at.loops) {
    tally passed;
    loop->post([&] {
      at->submit(&item);
      passed.add();
    });
    BOOST_TEST(passed.reaches(1));
    loop->stop();
  }
  BOOST_TEST(ran.load() == 0);
  BOOST_TEST(at->stats().queued == 0U);
}

void idle_executor_uses_no_cpu(std::string_view policy) {
  station at(policy, 4);
  probe_timer far([] {});
  at->arm(far, clock::now() + 1h);
  for (int i = 0; i != 100; ++i) {
    at.run_once([] {});
  }
  tally nothing;
  BOOST_TEST(!nothing.reaches(1, 50ms));
  const auto parks = at->stats().parks;
  const auto spent = cpu_time();
  BOOST_TEST(!nothing.reaches(1, 300ms));
  BOOST_TEST((cpu_time() - spent < 15ms));
  BOOST_TEST(at->stats().parks == parks);
  at->cancel(far);
}

void counts_its_turns(std::string_view policy) {
  station at(policy);
  at.run_once([] {});
  at.run_once([] { burn_for(20ms); });
  at.run_once([] {});
  BOOST_TEST(at->stop(deadline::none()).empty());
  const auto after = at->stats();
  BOOST_TEST(after.turns == 3U);
  BOOST_TEST((after.longest_turn >= 20ms));
  BOOST_TEST((after.busy >= after.longest_turn));
  BOOST_TEST(after.queued == 0U);
}

void counts_what_other_threads_hand_over(std::string_view policy) {
  station at(policy);
  int left = 100;
  job again{[&](executor&) { return --left > 0 ? verdict::again : verdict::done; }};
  for (const auto where : {affinity::anywhere(), affinity::worker(0)}) {
    at.run_once([&] { at.submit_next([] {}, where); }, where);
    at.wait_for_next();
  }
  at->submit(&again);
  BOOST_TEST(at->stop(deadline::none()).empty());
  BOOST_TEST(at->stats().turns == 104U);
  BOOST_TEST(at->stats().hops == 3U);  // Neither what turns submit nor what goes on.
}

}  // namespace mailroom::tests::contract
