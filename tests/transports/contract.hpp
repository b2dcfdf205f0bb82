#pragma once

#include <mailroom/tests/transports/contract_ends.hpp>
#include <mailroom/tests/transports/contract_frames.hpp>

namespace mailroom::tests {

/// What every transport keeps. `Wiring` says how one is made: `make(limits)`, `any_address()` to
/// listen on and `nobody()`, an address that nobody listens on.
template <class Wiring>
struct contract : contract_of_frames<Wiring>, contract_of_ends<Wiring> {};

}  // namespace mailroom::tests

#define MAILROOM_CONTRACT_CASE(wiring, name)   \
  BOOST_AUTO_TEST_CASE(name) {                 \
    mailroom::tests::contract<wiring>::name(); \
  }

/// The whole suite for one transport, to stand between BOOST_AUTO_TEST_SUITE and its end.
#define MAILROOM_TRANSPORT_CONTRACT(wiring)                                                    \
  MAILROOM_CONTRACT_CASE(wiring, open_comes_after_dial_and_once)                               \
  MAILROOM_CONTRACT_CASE(wiring, frames_arrive_whole_and_in_order_both_ways)                   \
  MAILROOM_CONTRACT_CASE(wiring, both_ends_may_share_a_loop)                                   \
  MAILROOM_CONTRACT_CASE(wiring, a_hundred_thousand_small_frames_arrive)                       \
  MAILROOM_CONTRACT_CASE(wiring, a_frame_of_16_mib_arrives)                                    \
  MAILROOM_CONTRACT_CASE(wiring, a_frame_over_the_limit_disconnects_its_sender_only)           \
  MAILROOM_CONTRACT_CASE(wiring,                                                               \
                         send_refuses_when_the_peer_does_not_read_and_says_when_there_is_room) \
  MAILROOM_CONTRACT_CASE(wiring, dialling_nobody_ends_with_unreachable)                        \
  MAILROOM_CONTRACT_CASE(wiring, addresses_that_cannot_be_read_are_refused)                    \
  MAILROOM_CONTRACT_CASE(wiring, an_address_in_use_is_refused)                                 \
  MAILROOM_CONTRACT_CASE(wiring, the_system_chooses_addresses_that_differ)                     \
  MAILROOM_CONTRACT_CASE(wiring, an_address_is_free_again_when_its_port_has_closed)            \
  MAILROOM_CONTRACT_CASE(wiring, a_close_is_noticed_at_the_other_end)                          \
  MAILROOM_CONTRACT_CASE(wiring, frames_sent_before_a_flushing_close_arrive)                   \
  MAILROOM_CONTRACT_CASE(wiring, the_last_words_of_a_node_that_goes_arrive)                    \
  MAILROOM_CONTRACT_CASE(wiring, the_last_words_arrive_even_if_nothing_runs_any_more)          \
  MAILROOM_CONTRACT_CASE(wiring, ends_that_say_good_bye_at_once_do_not_wait_for_each_other)    \
  MAILROOM_CONTRACT_CASE(wiring, closing_a_port_ends_its_links)                                \
  MAILROOM_CONTRACT_CASE(wiring, two_diallers_do_not_mix)                                      \
  MAILROOM_CONTRACT_CASE(wiring, nothing_is_called_after_close)                                \
  MAILROOM_CONTRACT_CASE(wiring, a_refused_link_is_lost_to_its_dialler)                        \
  MAILROOM_CONTRACT_CASE(wiring, links_come_and_go_many_times)                                 \
  MAILROOM_CONTRACT_CASE(wiring, a_port_may_be_closed_from_within_a_callback)
