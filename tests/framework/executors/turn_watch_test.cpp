#include <mailroom/tests/framework/executors/fixture.hpp>

#include <mailroom/framework/base/symbols.hpp>
#include <mailroom/framework/executors/turn_watch.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

namespace mailroom::tests::turn_watch_test {
using executors::stuck_turn;

namespace {

constexpr const char* policies[] = {"cooperative", "work-stealing", "loop-bound"};

struct gate {
  std::atomic<bool> open{false};
};

// What a stack of a thread that is stuck here must name.
[[gnu::noinline]] void stuck_before(const gate& closed) {
  while (!closed.open.load()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool names(const stuck_turn& told, const std::string& function) {
  const auto all = functions_at(told.stack);
  return std::any_of(all.begin(), all.end(), [&](const std::string& each) {
    return each.find(function) != std::string::npos;
  });
}

thread_local std::uint64_t running = 0;

void tell_subject(executors::turn_subject& into) noexcept {
  if (running != 0) {
    std::memcpy(into.name.data(), "tested.turn", 11);
    into.name_size = 11;
    into.call = running;
  }
}

// A watch on a loop of its own, and what it told.
struct guard {
  explicit guard(duration limit)
      : control("mr-ctl", platform::system()),
        watch(control,
              {.limit = limit, .subject = &tell_subject, .report = [this](const stuck_turn& what) {
                 add(what);
               }}) {
    control.start();
  }
  ~guard() { control.stop(); }

  void add(const stuck_turn& what) {
    {
      const std::lock_guard lock(mutex);
      told.push_back(what);
    }
    reports.add();
  }
  std::vector<stuck_turn> all() {
    const std::lock_guard lock(mutex);
    return told;
  }
  // Until it has looked again, and again.
  void let_it_look(duration limit) const {
    const auto before = control.stats().passes;
    std::this_thread::sleep_for(3 * limit);
    eventually([&] { return control.stats().passes > before; });
  }

  tally reports;
  std::mutex mutex;
  std::vector<stuck_turn> told;  // Guarded by mutex.
  executors::event_loop control;
  executors::turn_watch watch;
};

// An item that is stuck in its turn until the gate opens.
struct stuck_item {
  explicit stuck_item(executors::executor& on,
                      std::uint64_t number = 0,
                      executors::affinity where = executors::affinity::anywhere())
      : call(number) {
    on.submit(&item, where);
  }
  void end() {
    closed.open = true;
    BOOST_REQUIRE(ended.reaches(1));
  }

  const std::uint64_t call;
  gate closed;
  tally ended;
  job item{[this](executors::executor&) {
    running = call;
    stuck_before(closed);
    running = 0;
    ended.add();
    return executors::verdict::done;
  }};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(turn_watch)

BOOST_AUTO_TEST_CASE(reports_a_stuck_turn_once_with_the_function_that_it_is_stuck_in) {
  constexpr auto limit = std::chrono::milliseconds(50);
  for (const auto* policy : policies) {
    guard by(limit);
    station on(policy, 1, true, &by.watch);
    stuck_item stuck(*on.under_test, 7);
    BOOST_REQUIRE(by.reports.reaches(1));
    BOOST_TEST(on->stats().stuck == 1U);
    by.let_it_look(limit);
    stuck.end();
    on.run_once([] {});
    BOOST_TEST(on->stats().stuck == 0U);
    BOOST_TEST(on->stats().stuck_turns == 1U);
    const auto told = by.all();
    BOOST_REQUIRE(told.size() == 1U);
    BOOST_TEST(told[0].executor == "tested");
    BOOST_TEST(told[0].thread.starts_with("mr-"));
    BOOST_TEST(told[0].handler == "tested.turn");
    BOOST_TEST(told[0].call == 7U);
    BOOST_TEST((told[0].age >= limit));
    BOOST_TEST(names(told[0], "stuck_before"), policy);
    // Where it was interrupted comes first, not the signal.
    BOOST_TEST(functions_at(told[0].stack).front().find("capture") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(reports_every_thread_that_is_stuck_at_once) {
  guard by(std::chrono::milliseconds(50));
  station cooperative("cooperative", 1, true, &by.watch);
  station stealing("work-stealing", 3, true, &by.watch);
  station looped("loop-bound", 2, true, &by.watch);
  std::vector<std::unique_ptr<stuck_item>> stuck;
  std::uint64_t number = 0;
  for (station* each : {&cooperative, &stealing, &looped}) {
    for (std::uint32_t i = 0; i != (*each)->workers(); ++i) {
      stuck.push_back(std::make_unique<stuck_item>(
          *each->under_test, ++number, executors::affinity::worker(i)));
    }
  }
  BOOST_TEST(by.reports.reaches(6));
  BOOST_TEST(stealing->stats().stuck == 3U);
  by.let_it_look(std::chrono::milliseconds(50));
  for (auto& each : stuck) {
    each->end();
  }
  std::map<std::uint64_t, int> times;
  std::set<std::string> threads;
  for (const auto& each : by.all()) {
    ++times[each.call];
    threads.insert(each.thread);
    BOOST_TEST(names(each, "stuck_before"), each.thread);
  }
  BOOST_TEST(times.size() == 6U);
  BOOST_TEST(threads.size() == 6U);
  for (const auto& [call, count] : times) {
    BOOST_TEST(count == 1, "call " << call << " was reported " << count << " times");
  }
}

BOOST_AUTO_TEST_CASE(reports_the_next_turn_of_a_thread_that_was_stuck_before) {
  for (const auto* policy : policies) {
    guard by(std::chrono::milliseconds(20));
    station on(policy, 1, true, &by.watch);
    for (int round = 1; round <= 3; ++round) {
      stuck_item first(*on.under_test, 1);
      stuck_item second(*on.under_test, 2);  // Begins when the first ends: no rest between.
      BOOST_REQUIRE(by.reports.reaches(2 * round - 1));
      first.end();
      BOOST_REQUIRE(by.reports.reaches(2 * round));
      second.end();
    }
    BOOST_TEST(by.all().size() == 6U, policy);
    BOOST_TEST(on->stats().stuck_turns == 6U);
  }
}

BOOST_AUTO_TEST_CASE(does_not_report_turns_that_end_in_time) {
  for (const auto* policy : policies) {
    guard by(std::chrono::milliseconds(500));
    station on(policy, 1, true, &by.watch);
    // Its thread never rests, for longer than two limits.
    const auto end = clock::now() + std::chrono::milliseconds(1200);
    tally ended;
    job again{[&](executors::executor&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (clock::now() < end) {
        return executors::verdict::again;
      }
      ended.add();
      return executors::verdict::done;
    }};
    on->submit(&again);
    BOOST_REQUIRE(ended.reaches(1));
    on.run_once([] {});
    BOOST_TEST(on->stats().stuck_turns == 0U);
    BOOST_TEST(by.all().empty(), policy);
  }
}

BOOST_AUTO_TEST_CASE(sleeps_while_nobody_is_in_a_turn_and_wakes_for_the_next) {
  constexpr auto limit = std::chrono::milliseconds(10);
  for (const auto* policy : policies) {
    guard by(limit);
    station on(policy, 2, true, &by.watch);
    for (int round = 1; round <= 10; ++round) {
      on.run_once([] {});
      // It falls asleep after two looks; from then on its loop does nothing.
      BOOST_REQUIRE(eventually([&] {
        const auto before = by.control.stats().passes;
        std::this_thread::sleep_for(5 * limit);
        return by.control.stats().passes == before;
      }));
      stuck_item stuck(*on.under_test);
      BOOST_REQUIRE(by.reports.reaches(round));
      stuck.end();
    }
    BOOST_TEST(by.all().size() == 10U);
  }
}

BOOST_AUTO_TEST_CASE(misses_no_turn_that_begins_while_it_falls_asleep) {
  constexpr auto limit = std::chrono::milliseconds(10);
  for (const auto* policy : policies) {
    guard by(limit);
    station on(policy, 1, true, &by.watch);
    for (int round = 1; round <= 40; ++round) {
      on.run_once([] {});
      std::this_thread::sleep_for(round * limit / 16);  // Anywhere between its looks.
      stuck_item stuck(*on.under_test);
      BOOST_REQUIRE(by.reports.reaches(round));
      stuck.end();
    }
  }
}

BOOST_AUTO_TEST_CASE(gives_what_a_stuck_turn_has_submitted_to_another_worker) {
  guard by(std::chrono::milliseconds(20));
  station on("work-stealing", 2, true, &by.watch);
  gate closed;
  tally ended;
  job submitted{[&](executors::executor&) {
    ended.add();
    return executors::verdict::done;
  }};
  job stuck{[&](executors::executor& where) {
    where.submit(&submitted);  // It would run next on this worker, and the other one sleeps.
    stuck_before(closed);
    ended.add();
    return executors::verdict::done;
  }};
  on->submit(&stuck);
  BOOST_TEST(ended.reaches(1));
  closed.open = true;
  BOOST_TEST(ended.reaches(2));
}

BOOST_AUTO_TEST_CASE(excuses_turns_once_when_it_was_held_up_itself) {
  constexpr auto limit = std::chrono::seconds(1);
  guard by(limit);
  station on("cooperative", 1, true, &by.watch);
  gate control_goes_on;
  tally held;
  by.control.post([&] {
    held.add();
    stuck_before(control_goes_on);
  });
  BOOST_REQUIRE(held.reaches(1));
  stuck_item stuck(*on.under_test);
  std::this_thread::sleep_for(2 * limit);
  // As after SIGSTOP and SIGCONT of the process: the turn goes on, and ends.
  control_goes_on.open = true;
  tally looked;
  by.control.post([&] { looked.add(); });
  BOOST_REQUIRE(looked.reaches(1));
  stuck.end();
  by.let_it_look(limit / 2);
  BOOST_TEST(by.all().empty());
}

BOOST_AUTO_TEST_CASE(leaves_executors_without_a_watch_alone) {
  for (const auto* policy : policies) {
    station on(policy);
    on.run_once([] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); });
    BOOST_TEST(on->stats().stuck == 0U);
    BOOST_TEST(on->stats().stuck_turns == 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::turn_watch_test
