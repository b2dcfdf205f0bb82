#include <mailroom/tests/framework/executors/contract.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <thread>

namespace mailroom::tests::work_stealing_test {
using namespace executors;

BOOST_AUTO_TEST_SUITE(work_stealing)

BOOST_AUTO_TEST_CASE(names_its_threads) {
  contract::names_its_threads("work-stealing", {"mr-ws-0", "mr-ws-1", "mr-ws-2"});
}
BOOST_AUTO_TEST_CASE(wakes_for_every_item_from_outside) {
  contract::wakes_for_every_item_from_outside("work-stealing");
}
BOOST_AUTO_TEST_CASE(every_submitted_item_runs_exactly_once_under_load) {
  contract::every_submitted_item_runs_exactly_once_under_load("work-stealing");
}
BOOST_AUTO_TEST_CASE(runs_items_submitted_before_the_start) {
  contract::runs_items_submitted_before_the_start("work-stealing");
}
BOOST_AUTO_TEST_CASE(again_lets_the_others_have_their_turn) {
  contract::again_lets_the_others_have_their_turn("work-stealing");
}
BOOST_AUTO_TEST_CASE(pinned_items_stay_on_their_worker) {
  contract::pinned_items_stay_on_their_worker("work-stealing");
}
BOOST_AUTO_TEST_CASE(timers_fire_in_order_and_cancel_is_final) {
  contract::timers_fire_in_order_and_cancel_is_final("work-stealing");
}
BOOST_AUTO_TEST_CASE(an_earlier_timer_wakes_the_sleeper) {
  contract::an_earlier_timer_wakes_the_sleeper("work-stealing");
}
BOOST_AUTO_TEST_CASE(timers_submit_items) {
  contract::timers_submit_items("work-stealing");
}
BOOST_AUTO_TEST_CASE(stop_runs_what_is_queued_and_what_that_submits) {
  contract::stop_runs_what_is_queued_and_what_that_submits("work-stealing");
}
BOOST_AUTO_TEST_CASE(stop_returns_items_left_after_the_deadline) {
  contract::stop_returns_items_left_after_the_deadline("work-stealing");
}
BOOST_AUTO_TEST_CASE(drops_what_is_submitted_after_stop) {
  contract::drops_what_is_submitted_after_stop("work-stealing");
}
BOOST_AUTO_TEST_CASE(idle_executor_uses_no_cpu) {
  contract::idle_executor_uses_no_cpu("work-stealing");
}
BOOST_AUTO_TEST_CASE(counts_its_turns) {
  contract::counts_its_turns("work-stealing");
}
BOOST_AUTO_TEST_CASE(counts_what_other_threads_hand_over) {
  contract::counts_what_other_threads_hand_over("work-stealing");
}

BOOST_AUTO_TEST_CASE(two_items_that_burn_cpu_run_on_two_threads) {
  station at("work-stealing", 2);
  // Each waits for the other to begin: on one thread neither would end.
  std::atomic<int> running{0};
  tally ended;
  job burner{[&](executor&) {
    ++running;
    if (eventually([&] { return running >= 2; })) {
      ended.add();
    }
    return verdict::done;
  }};
  job burner_too = burner;
  at->submit(&burner);
  at->submit(&burner_too);
  BOOST_TEST(ended.reaches(2));
}

BOOST_AUTO_TEST_CASE(what_a_long_turn_submits_runs_meanwhile) {
  station at("work-stealing", 2);
  tally ended;
  std::vector<job> children(50);
  for (auto& child : children) {
    child.turn = [&](executor&) {
      ended.add();
      return verdict::done;
    };
  }
  bool all = false;
  at.run_once([&] {
    for (auto& child : children) {
      at->submit(&child);
    }
    all = ended.reaches(50);  // Neither the queue nor the slot of the busy worker keeps any back.
  });
  BOOST_TEST(all);
  BOOST_TEST(at->stats().steals == 50U);
}

BOOST_AUTO_TEST_CASE(a_full_queue_spills_over_and_loses_nothing) {
  station at("work-stealing", 2);
  tally ended;
  std::vector<job> children(5000);
  for (auto& child : children) {
    child.turn = [&](executor&) {
      ended.add();
      return verdict::done;
    };
  }
  at.run_once([&] {
    for (auto& child : children) {
      at->submit(&child);
    }
  });
  BOOST_TEST(ended.reaches(5000));
}

BOOST_AUTO_TEST_CASE(two_items_that_wake_each_other_starve_nobody) {
  station at("work-stealing", 1);
  std::atomic<bool> enough{false};
  job ping;
  job pong;
  ping.turn = [&](executor& where) {
    if (!enough) {
      where.submit(&pong);
    }
    return verdict::done;
  };
  pong.turn = [&](executor& where) {
    if (!enough) {
      where.submit(&ping);
    }
    return verdict::done;
  };
  job patient{[&](executor&) { return enough ? verdict::done : verdict::again; }};
  at->submit(&ping);
  at->submit(&patient);
  for (int round = 0; round != 20; ++round) {
    at.run_once([] {});                       // Injected.
    at.run_once([] {}, affinity::worker(0));  // Pinned.
  }
  enough = true;
  BOOST_TEST(at->stop(deadline::none()).empty());
}

BOOST_AUTO_TEST_CASE(timers_fire_while_one_worker_is_busy) {
  // Whichever worker is busy, with whatever it was given, and whoever kept the time before.
  station at("work-stealing", 2);
  for (std::uint32_t round = 0; round != 60; ++round) {
    tally fired;
    probe_timer alarm([&] { fired.add(); });
    std::atomic<bool> busy{false};
    bool in_time = false;
    const auto burn = [&] {
      busy = true;
      in_time = fired.reaches(1);
    };
    const affinity where = round % 2 == 0 ? affinity::anywhere() : affinity::worker(round / 2);
    switch (round % 3) {
      case 0:  // Armed before, from outside.
        at->arm(alarm, clock::now() + 2ms);
        at.run_once(burn, where);
        break;
      case 1: {  // Armed during the turn, from outside.
        std::thread outside([&] {
          eventually([&] { return busy.load(); });
          at->arm(alarm, clock::now() + 1ms);
        });
        at.run_once(burn, where);
        outside.join();
        break;
      }
      default:  // Armed by the turn before, on the same worker.
        at.run_once(
            [&] {
              at->arm(alarm, clock::now() + 2ms);
              at.submit_next(burn, where);
            },
            where);
        BOOST_REQUIRE(fired.reaches(1));
        at.wait_for_next();
        break;
    }
    BOOST_REQUIRE(in_time);
    at->cancel(alarm);
  }
}

BOOST_AUTO_TEST_CASE(has_as_many_workers_as_cores_if_not_told) {
  station at("work-stealing", 0);
  BOOST_TEST(at->workers() == std::max(1U, std::thread::hardware_concurrency()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::work_stealing_test
