#include <mailroom/tests/framework/executors/contract.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <thread>

namespace mailroom::tests::loop_bound_test {
using namespace executors;

BOOST_AUTO_TEST_SUITE(loop_bound)

BOOST_AUTO_TEST_CASE(names_its_threads) {
  contract::names_its_threads("loop-bound", {"mr-loop-0", "mr-loop-1"});
}
BOOST_AUTO_TEST_CASE(wakes_for_every_item_from_outside) {
  contract::wakes_for_every_item_from_outside("loop-bound");
}
BOOST_AUTO_TEST_CASE(every_submitted_item_runs_exactly_once_under_load) {
  contract::every_submitted_item_runs_exactly_once_under_load("loop-bound");
}
BOOST_AUTO_TEST_CASE(runs_items_submitted_before_the_start) {
  contract::runs_items_submitted_before_the_start("loop-bound");
}
BOOST_AUTO_TEST_CASE(again_lets_the_others_have_their_turn) {
  contract::again_lets_the_others_have_their_turn("loop-bound");
}
BOOST_AUTO_TEST_CASE(pinned_items_stay_on_their_worker) {
  contract::pinned_items_stay_on_their_worker("loop-bound");
}
BOOST_AUTO_TEST_CASE(timers_fire_in_order_and_cancel_is_final) {
  contract::timers_fire_in_order_and_cancel_is_final("loop-bound");
}
BOOST_AUTO_TEST_CASE(an_earlier_timer_wakes_the_sleeper) {
  contract::an_earlier_timer_wakes_the_sleeper("loop-bound");
}
BOOST_AUTO_TEST_CASE(timers_submit_items) {
  contract::timers_submit_items("loop-bound");
}
BOOST_AUTO_TEST_CASE(stop_runs_what_is_queued_and_what_that_submits) {
  contract::stop_runs_what_is_queued_and_what_that_submits("loop-bound");
}
BOOST_AUTO_TEST_CASE(stop_returns_items_left_after_the_deadline) {
  contract::stop_returns_items_left_after_the_deadline("loop-bound");
}
BOOST_AUTO_TEST_CASE(drops_what_is_submitted_after_stop) {
  contract::drops_what_is_submitted_after_stop("loop-bound");
}
BOOST_AUTO_TEST_CASE(idle_executor_uses_no_cpu) {
  contract::idle_executor_uses_no_cpu("loop-bound");
}
BOOST_AUTO_TEST_CASE(counts_its_turns) {
  contract::counts_its_turns("loop-bound");
}
BOOST_AUTO_TEST_CASE(counts_what_other_threads_hand_over) {
  contract::counts_what_other_threads_hand_over("loop-bound");
}

BOOST_AUTO_TEST_CASE(anywhere_is_the_calling_loop_or_the_first) {
  station at("loop-bound", 2);
  std::string name;
  at.run_once([&] { name = this_thread_name(); });
  BOOST_TEST(name == "mr-loop-0");
  tally done;
  job item{[&](executor&) {
    name = this_thread_name();
    done.add();
    return verdict::done;
  }};
  at.loops[1]->post([&] { at->submit(&item); });
  BOOST_REQUIRE(done.reaches(1));
  BOOST_TEST(name == "mr-loop-1");
}

BOOST_AUTO_TEST_CASE(tells_the_loop_of_an_item_and_counts_what_changes_loops) {
  station at("loop-bound", 2);
  BOOST_TEST(at->loop_of(affinity::anywhere()) == at.loops[0].get());
  for (const std::uint32_t worker : {0U, 1U, 2U, 3U}) {
    BOOST_TEST(at->loop_of(affinity::worker(worker)) == at.loops[worker % 2].get());
  }
  at.run_once([&] { at.submit_next([] {}, affinity::worker(1)); }, affinity::worker(0));
  at.wait_for_next();
  BOOST_TEST(at->stop(deadline::none()).empty());
  BOOST_TEST(at->stats().hops == 2U);
}

BOOST_AUTO_TEST_CASE(a_pass_ends_although_its_items_always_want_more) {
  // An item that always wants more does not keep the loop from its input and output.
  station at("loop-bound", 1);
  std::atomic<int> turns{0};
  std::atomic<bool> enough{false};
  job greedy{[&](executor&) {
    ++turns;
    return enough ? verdict::done : verdict::again;
  }};
  job greedy_too = greedy;
  at->submit(&greedy);
  at->submit(&greedy_too);
  BOOST_REQUIRE(eventually([&] { return turns > 10; }));
  executors::event_loop& loop = *at.loops[0];
  for (int round = 0; round != 10; ++round) {
    tally passed;
    int before = 0;
    int after = 0;
    loop.post([&] {
      before = turns;
      loop.post([&] {
        after = turns;
        passed.add();
      });
    });
    BOOST_REQUIRE(passed.reaches(1));
    BOOST_TEST(after - before <= 200);
  }
  enough = true;
  BOOST_TEST(at->stop(deadline::none()).empty());
}

BOOST_AUTO_TEST_CASE(two_executors_share_a_loop) {
  station at("loop-bound", 1);
  executor::options with;
  with.name = "second";
  with.run = &job::run;
  with.loops = {at.loops[0].get()};
  auto second = make_executor("loop-bound", with);
  BOOST_REQUIRE(second);
  (*second)->start();
  tally ran;
  job item{[&](executor& where) {
    ran.add(&where == second->get() ? 1 : 100);
    return verdict::done;
  }};
  (*second)->submit(&item);
  BOOST_REQUIRE(ran.reaches(1));
  BOOST_TEST(ran.value() == 1);
  BOOST_TEST((*second)->stop(deadline::none()).empty());
  at.run_once([] {});
}

BOOST_AUTO_TEST_CASE(stop_returns_its_items_when_the_loop_has_gone_before) {
  station at("loop-bound", 2);
  at.loops[1]->stop();
  job item{[](executor&) { return verdict::done; }};
  at->submit(&item, affinity::worker(1));
  BOOST_TEST(at->stop(deadline::none()).size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::loop_bound_test
