#pragma once

#include <mailroom/tests/framework/executors/fixture.hpp>

#include <set>
#include <string>
#include <string_view>

// What every executor promises, checked for the policy of that name. Each policy's own test file
// runs these beside what only it promises.
namespace mailroom::tests::contract {

void names_its_threads(std::string_view policy, const std::set<std::string>& names);
void wakes_for_every_item_from_outside(std::string_view policy);
void every_submitted_item_runs_exactly_once_under_load(std::string_view policy);
void runs_items_submitted_before_the_start(std::string_view policy);
void again_lets_the_others_have_their_turn(std::string_view policy);
void pinned_items_stay_on_their_worker(std::string_view policy);
void timers_fire_in_order_and_cancel_is_final(std::string_view policy);
void an_earlier_timer_wakes_the_sleeper(std::string_view policy);
void timers_submit_items(std::string_view policy);
void stop_runs_what_is_queued_and_what_that_submits(std::string_view policy);
void stop_returns_items_left_after_the_deadline(std::string_view policy);
void drops_what_is_submitted_after_stop(std::string_view policy);
void idle_executor_uses_no_cpu(std::string_view policy);
void counts_its_turns(std::string_view policy);
void counts_what_other_threads_hand_over(std::string_view policy);

}  // namespace mailroom::tests::contract
