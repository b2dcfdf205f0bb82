#include <mailroom/tests/framework/executors/contract.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <thread>

namespace mailroom::tests::cooperative_test {
using namespace executors;

BOOST_AUTO_TEST_SUITE(cooperative)

BOOST_AUTO_TEST_CASE(names_its_threads) {
  contract::names_its_threads("cooperative", {"mr-coop"});
}
BOOST_AUTO_TEST_CASE(wakes_for_every_item_from_outside) {
  contract::wakes_for_every_item_from_outside("cooperative");
}
BOOST_AUTO_TEST_CASE(every_submitted_item_runs_exactly_once_under_load) {
  contract::every_submitted_item_runs_exactly_once_under_load("cooperative");
}
BOOST_AUTO_TEST_CASE(runs_items_submitted_before_the_start) {
  contract::runs_items_submitted_before_the_start("cooperative");
}
BOOST_AUTO_TEST_CASE(again_lets_the_others_have_their_turn) {
  contract::again_lets_the_others_have_their_turn("cooperative");
}
BOOST_AUTO_TEST_CASE(pinned_items_stay_on_their_worker) {
  contract::pinned_items_stay_on_their_worker("cooperative");
}
BOOST_AUTO_TEST_CASE(timers_fire_in_order_and_cancel_is_final) {
  contract::timers_fire_in_order_and_cancel_is_final("cooperative");
}
BOOST_AUTO_TEST_CASE(an_earlier_timer_wakes_the_sleeper) {
  contract::an_earlier_timer_wakes_the_sleeper("cooperative");
}
BOOST_AUTO_TEST_CASE(timers_submit_items) {
  contract::timers_submit_items("cooperative");
}
BOOST_AUTO_TEST_CASE(stop_runs_what_is_queued_and_what_that_submits) {
  contract::stop_runs_what_is_queued_and_what_that_submits("cooperative");
}
BOOST_AUTO_TEST_CASE(stop_returns_items_left_after_the_deadline) {
  contract::stop_returns_items_left_after_the_deadline("cooperative");
}
BOOST_AUTO_TEST_CASE(drops_what_is_submitted_after_stop) {
  contract::drops_what_is_submitted_after_stop("cooperative");
}
BOOST_AUTO_TEST_CASE(idle_executor_uses_no_cpu) {
  contract::idle_executor_uses_no_cpu("cooperative");
}
BOOST_AUTO_TEST_CASE(counts_its_turns) {
  contract::counts_its_turns("cooperative");
}
BOOST_AUTO_TEST_CASE(counts_what_other_threads_hand_over) {
  contract::counts_what_other_threads_hand_over("cooperative");
}

BOOST_AUTO_TEST_CASE(runs_turns_in_the_order_they_were_submitted) {
  station at("cooperative");
  std::vector<int> order;
  std::atomic<bool> hold{true};
  tally holding;
  tally done;
  const auto note = [&](int which) {
    order.push_back(which);
    done.add();
    return verdict::done;
  };
  job from_outside{[&](executor&) { return note(2); }};
  job from_inside{[&](executor&) { return note(3); }};
  job first{[&, runs = 0](executor& where) mutable {
    if (++runs == 2) {
      return note(4);
    }
    note(1);
    holding.add();
    while (hold) {
      std::this_thread::yield();
    }
    where.submit(&from_inside);  // After the one from outside, which came before.
    return verdict::again;
  }};
  at->submit(&first);
  BOOST_REQUIRE(holding.reaches(1));
  at->submit(&from_outside);
  hold = false;
  BOOST_REQUIRE(done.reaches(4));
  at->stop(deadline::none());
  BOOST_TEST(order == (std::vector<int>{1, 2, 3, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(keeps_the_order_of_each_thread_that_submits) {
  station at("cooperative");
  struct numbered final : job {
    int thread = 0;
    int number = 0;
  };
  constexpr int each = 5000;
  std::vector<numbered> items(3 * each);
  std::array<int, 3> last{-1, -1, -1};
  int disorder = 0;
  for (int i = 0; i != 3 * each; ++i) {
    numbered& self = items[static_cast<std::size_t>(i)];
    self.thread = i / each;
    self.number = i % each;
    self.turn = [&](executor&) {
      int& before = last[static_cast<std::size_t>(self.thread)];
      disorder += self.number == before + 1 ? 0 : 1;
      before = self.number;
      return verdict::done;
    };
  }
  std::vector<std::thread> threads;
  for (int t = 0; t != 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i != each; ++i) {
        at->submit(&items[static_cast<std::size_t>(t * each + i)]);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  BOOST_TEST(at->stop(deadline::none()).empty());
  BOOST_TEST(disorder == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::cooperative_test
