// Who runs what waits for workers that are stuck in a turn.

#include <mailroom/tests/framework/executors/fixture.hpp>
#include <mailroom/tests/support/gate.hpp>

#include <mailroom/framework/executors/turn_watch.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

namespace mailroom::tests::spare_workers_test {
using executors::affinity;
using executors::verdict;

namespace {

// A work-stealing executor whose workers are stuck after a few milliseconds.
struct scene {
  scene(std::size_t workers, std::size_t spares)
      : control("mr-ctl", platform::system()),
        watch(control,
              {.limit = std::chrono::milliseconds(10),
               .report =
                   [this](const executors::stuck_turn& what) {
                     (what.relieved ? relieved : not_relieved).add();
                   }}),
        at("work-stealing", workers, true, &watch, spares) {
    control.start();
  }
  ~scene() {
    for (auto& each : stuck) {
      each.closed.open();
    }
    at.under_test.reset();
    control.stop();
  }

  struct stuck_item {
    explicit stuck_item(tally& ended)
        : item{[this, &ended](executors::executor&) {
            closed.wait();
            ended.add();
            return verdict::done;
          }} {}
    gate closed;
    job item;
  };

  /// One more that is stuck, and reported.
  stuck_item& get_stuck(affinity where = affinity::anywhere()) {
    const int before = relieved.value() + not_relieved.value();
    auto& one = stuck.emplace_back(ended);
    at->submit(&one.item, where);
    BOOST_REQUIRE(eventually([&] { return relieved.value() + not_relieved.value() > before; }));
    return one;
  }
  std::string thread_of_an_item(affinity where = affinity::anywhere()) {
    std::string name;
    at.run_once([&] { name = this_thread_name(); }, where);
    return name;
  }
  bool rest(std::size_t left = 0) {
    return eventually([&] { return at->stats().spares == left; });
  }

  tally relieved;
  tally not_relieved;
  tally ended;
  std::deque<stuck_item> stuck;
  executors::event_loop control;
  executors::turn_watch watch;
  station at;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(spare_workers)

BOOST_AUTO_TEST_CASE(one_stands_in_while_a_worker_is_stuck_and_rests_after_it) {
  scene with(1, 1);
  for (int round = 1; round <= 3; ++round) {
    auto& stuck = with.get_stuck();
    BOOST_TEST(with.relieved.value() == round);
    BOOST_TEST(with.at->stats().threads == 2U);
    BOOST_TEST(with.at->stats().spares == 1U);
    BOOST_TEST(with.thread_of_an_item() == "mr-ws-1");
    stuck.closed.open();
    BOOST_TEST(with.ended.reaches(round));
    BOOST_TEST(with.rest());
    BOOST_TEST(with.at->stats().threads == 1U);
    BOOST_TEST(with.thread_of_an_item() == "mr-ws-0");
  }
}

BOOST_AUTO_TEST_CASE(there_are_no_more_of_them_than_allowed_and_what_waits_is_run_in_the_end) {
  scene with(1, 2);
  auto& first = with.get_stuck();
  with.get_stuck();
  with.get_stuck();  // The second spare one, for which there is no third.
  BOOST_TEST(with.relieved.value() == 2);
  BOOST_TEST(with.not_relieved.value() == 1);
  tally ran;
  job waits{[&](executors::executor&) {
    ran.add();
    return verdict::done;
  }};
  with.at->submit(&waits);
  BOOST_TEST(ran.value() == 0);
  first.closed.open();
  BOOST_TEST(ran.reaches(1));
  for (auto& each : with.stuck) {
    each.closed.open();
  }
  BOOST_TEST(with.ended.reaches(3));
  BOOST_TEST(with.rest());
}

BOOST_AUTO_TEST_CASE(without_any_a_stuck_worker_is_on_its_own) {
  scene with(1, 0);
  with.get_stuck();
  BOOST_TEST(with.relieved.value() == 0);
  BOOST_TEST(with.at->stats().threads == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_pinned_to_one_is_still_run_by_it_when_it_rests) {
  scene with(1, 1);
  auto& stuck = with.get_stuck();
  affinity spare = affinity::anywhere();
  with.at.run_once([&] { spare = with.at->own_worker(); });
  BOOST_TEST((spare != affinity::worker(1)));
  stuck.closed.open();
  BOOST_TEST(with.rest());
  for (int i = 0; i != 20; ++i) {
    BOOST_TEST(with.thread_of_an_item(spare) == "mr-ws-1");
  }
  // What such an item submits is for everybody.
  std::string submitted_ran_on;
  with.at.run_once(
      [&] {
        with.at.submit_next([&] { submitted_ran_on = this_thread_name(); }, affinity::anywhere());
      },
      spare);
  with.at.wait_for_next();
  BOOST_TEST(submitted_ran_on == "mr-ws-0");
}

// It went to sleep without having told anybody to keep the time.
BOOST_AUTO_TEST_CASE(timers_of_one_that_rests_fire) {
  scene with(1, 1);
  auto& stuck = with.get_stuck();
  affinity spare = affinity::anywhere();
  with.at.run_once([&] { spare = with.at->own_worker(); });
  stuck.closed.open();
  BOOST_TEST(with.rest());
  tally fired;
  probe_timer alarm([&] { fired.add(); });
  for (int round = 1; round <= 20; ++round) {
    with.at.run_once([&] { with.at->arm(alarm, clock::now() + std::chrono::milliseconds(2)); },
                     spare);
    BOOST_TEST(fired.reaches(round));
  }
}

BOOST_AUTO_TEST_CASE(one_that_is_free_again_stands_in_for_another_that_had_none) {
  scene with(2, 1);
  auto& first = with.get_stuck();
  with.get_stuck();
  BOOST_TEST(with.relieved.value() == 1);
  BOOST_TEST(with.not_relieved.value() == 1);
  first.closed.open();
  BOOST_TEST(with.ended.reaches(1));
  BOOST_TEST(with.thread_of_an_item() != "");
  BOOST_TEST(with.at->stats().spares == 1U);
  BOOST_TEST(with.at->stats().threads == 3U);
}

BOOST_AUTO_TEST_CASE(all_that_have_run_turns_are_named) {
  scene with(2, 2);
  BOOST_TEST(with.at->all_workers().size() == 2U);
  with.get_stuck().closed.open();
  BOOST_TEST(with.rest());
  std::vector<std::string> names;
  for (const auto each : with.at->all_workers()) {
    names.push_back(with.thread_of_an_item(each));
  }
  BOOST_TEST(names == (std::vector<std::string>{"mr-ws-0", "mr-ws-1", "mr-ws-2"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(timers_fire_while_all_regular_workers_are_stuck) {
  scene with(1, 1);
  auto& stuck = with.get_stuck();
  tally fired;
  probe_timer alarm([&] { fired.add(); });
  for (int round = 1; round <= 20; ++round) {
    if (round == 10) {
      stuck.closed.open();
      BOOST_TEST(with.rest());
    }
    with.at->arm(alarm, clock::now() + std::chrono::milliseconds(1));
    BOOST_TEST(fired.reaches(round));
  }
}

BOOST_AUTO_TEST_CASE(stop_ends_those_that_help_and_those_that_rest) {
  for (const bool resting : {false, true}) {
    scene with(2, 2);
    auto& first = with.get_stuck();
    auto& second = with.get_stuck();
    if (resting) {
      first.closed.open();
      second.closed.open();
      BOOST_TEST(with.rest());
    }
    tally ran;
    std::deque<job> waiting(100, job{[&](executors::executor&) {
                              ran.add();
                              return verdict::done;
                            }});
    for (auto& each : waiting) {
      with.at->submit(&each);
    }
    bool all_ran = false;
    std::thread opens([&] {
      all_ran = ran.reaches(100);  // Stopping or not, the spare ones run them.
      first.closed.open();
      second.closed.open();
    });
    BOOST_TEST(with.at->stop(deadline(clock::now() + std::chrono::minutes(1))).empty());
    opens.join();
    BOOST_TEST(all_ran);
    BOOST_TEST(with.ended.value() == 2);
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_or_run_twice_while_workers_get_stuck_and_recover) {
  scene with(2, 3);
  constexpr int count = 2000;
  std::vector<std::atomic<int>> runs(count);
  tally ran;
  std::deque<job> later;
  std::deque<job> items;
  for (int i = 0; i != count; ++i) {
    const auto number = static_cast<std::size_t>(i);
    later.push_back(job{[&, number](executors::executor&) {
      ++runs[number];
      ran.add();
      return verdict::done;
    }});
    items.push_back(job{[&, i, number, again = i % 2 == 0](executors::executor& where) mutable {
      if (std::exchange(again, false)) {
        if (i % 200 == 0) {
          std::this_thread::sleep_for(std::chrono::milliseconds(25));  // Is what is stuck.
        }
        return verdict::again;
      }
      where.submit(&later[number], i % 3 == 0 ? where.own_worker() : affinity::anywhere());
      return verdict::done;
    }});
  }
  for (auto& each : items) {
    with.at->submit(&each);
  }
  BOOST_TEST(ran.reaches(count));
  BOOST_TEST(std::all_of(runs.begin(), runs.end(), [](const auto& each) { return each == 1; }));
  BOOST_TEST(with.relieved.value() > 0);
  BOOST_TEST(with.rest());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::spare_workers_test
