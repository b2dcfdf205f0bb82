#include <mailroom/tests/framework/executors/explorer.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>
#include <vector>

namespace mailroom::tests::activation_model_test {
// The inbox of an activation, in all interleavings of two producers, someone who stops it, and the
// workers of an executor that give it turns. One step is one atomic access. Each broken variant
// must be found out, or the exploration would prove nothing.

namespace {

using byte = std::uint8_t;

enum class flaw {
  none,
  ends_its_turn_with_a_plain_store,
  takes_its_inbox_in_two_steps,  // Reads it, then clears it.
  rings_for_every_post,
  nudges_before_it_wants,
};

constexpr byte idle = 0x80;  // The mark in the inbox head; else a set of posted works, as bits.

// Works: one of each producer, posted twice, and the nudge of `stop`.
constexpr std::size_t producers = 2;
constexpr byte posts_each = 2;
constexpr byte nudge = 1U << 4U;

struct model {
  byte inbox = idle;
  byte items = 0;    // How often the activation lies in the executor's queue.
  byte arrived = 0;  // Works that the turn has taken.
  byte ran = 0;      // Works that ran.
  byte ran_twice = 0;
  byte wanted = 0;  // stop was asked for.
  byte seen = 0;
  byte worker_at = 0;  // Program counter of the turn.
  byte second_turn = 0;
  std::array<byte, producers> at{};    // Program counters: 0 load, 1 exchange, 2 ring.
  std::array<byte, producers> head{};  // What they have loaded.
  std::array<byte, producers> done{};  // Posts made.
  byte stopper_at = 0;
  byte stopper_head = 0;
};

enum post_at : byte { load, exchange, ring };
enum worker_pc : byte { nothing, obey, take, clear, run_one, obey_again, leave };
enum stopper_pc : byte { want, nudge_load, nudge_exchange, nudge_ring, stopped, nudged_first };

byte work_of(std::size_t producer, byte number) {
  return static_cast<byte>(1U << (producer * posts_each + number));
}

byte with(byte inbox, byte work) {
  return static_cast<byte>((inbox == idle ? 0 : inbox) | work);
}

void producer_steps(const model& s, flaw broken, std::vector<model>& out) {
  for (std::size_t p = 0; p != producers; ++p) {
    if (s.done[p] == posts_each) {
      continue;
    }
    model n = s;
    switch (s.at[p]) {
      case load:
        n.head[p] = s.inbox;
        n.at[p] = exchange;
        break;
      case exchange:
        if (s.inbox != s.head[p]) {
          n.head[p] = s.inbox;  // The compare-exchange failed and says what is there now.
          break;
        }
        n.inbox = with(s.inbox, work_of(p, s.done[p]));
        if (s.inbox == idle || broken == flaw::rings_for_every_post) {
          n.at[p] = ring;
        } else {
          n.at[p] = load;
          ++n.done[p];
        }
        break;
      default:
        ++n.items;
        n.at[p] = load;
        ++n.done[p];
        break;
    }
    out.push_back(n);
  }
}

void stopper_steps(const model& s, flaw broken, std::vector<model>& out) {
  const bool late = broken == flaw::nudges_before_it_wants;
  model n = s;
  switch (s.stopper_at) {
    case want:
      if (late) {
        n.stopper_at = nudge_load;
      } else {
        n.wanted = 1;
        n.stopper_at = nudge_load;
      }
      break;
    case nudge_load:
      n.stopper_head = s.inbox;
      n.stopper_at = nudge_exchange;
      break;
    case nudge_exchange:
      if (s.inbox != s.stopper_head) {
        n.stopper_head = s.inbox;
        break;
      }
      n.inbox = with(s.inbox, nudge);
      n.stopper_at = s.inbox == idle ? nudge_ring : late ? nudged_first : stopped;
      break;
    case nudge_ring:
      ++n.items;
      n.stopper_at = late ? nudged_first : stopped;
      break;
    case nudged_first:
      n.wanted = 1;
      n.stopper_at = stopped;
      break;
    default: return;
  }
  out.push_back(n);
}

// Any worker may take the item; that there are two turns at once is what must not be possible.
void worker_steps(const model& s, flaw broken, std::vector<model>& out) {
  if (s.items > 0) {
    model n = s;
    --n.items;
    if (s.worker_at != nothing) {
      n.second_turn = 1;
      out.push_back(n);
      return;
    }
    n.worker_at = obey;
    out.push_back(n);
  }
  model n = s;
  switch (s.worker_at) {
    case obey:
      n.seen = s.wanted;
      n.worker_at = take;
      break;
    case take:
      if (s.arrived == 0 && s.inbox != idle) {
        n.arrived = s.inbox;
        if (broken == flaw::takes_its_inbox_in_two_steps) {
          n.worker_at = clear;
          break;
        }
        n.inbox = 0;
      }
      n.worker_at = n.arrived != 0 ? run_one : obey_again;
      break;
    case clear:
      n.inbox = 0;
      n.worker_at = n.arrived != 0 ? run_one : obey_again;
      break;
    case run_one: {
      const auto lowest = static_cast<byte>(s.arrived & (~s.arrived + 1U));
      n.ran_twice = static_cast<byte>(s.ran_twice | (s.ran & lowest));
      n.ran = static_cast<byte>(s.ran | lowest);
      n.arrived = static_cast<byte>(s.arrived & ~lowest);
      // The turn may end here, at its bound, or go on.
      if (n.arrived != 0) {
        model bounded = n;
        ++bounded.items;  // It returned true: the executor puts it at the end of its queue.
        bounded.worker_at = nothing;
        out.push_back(bounded);
      }
      n.worker_at = n.arrived != 0 ? run_one : take;
      break;
    }
    case obey_again:
      n.seen = s.wanted;
      n.worker_at = leave;
      break;
    case leave:
      if (broken == flaw::ends_its_turn_with_a_plain_store) {
        n.inbox = idle;
        n.worker_at = nothing;
      } else if (s.inbox == 0) {
        n.inbox = idle;
        n.worker_at = nothing;
      } else {
        ++n.items;
        n.worker_at = nothing;
      }
      break;
    default: return;
  }
  out.push_back(n);
}

explorer<model> all_of(flaw broken) {
  return explorer<model>([broken](const model& s, std::vector<model>& out) {
    if (s.second_turn != 0 || s.items > 3) {
      return;  // Wrong already.
    }
    producer_steps(s, broken, out);
    stopper_steps(s, broken, out);
    worker_steps(s, broken, out);
  });
}

bool at_rest(const model& s) {
  return s.done[0] == posts_each && s.done[1] == posts_each && s.stopper_at == stopped &&
         s.items == 0 && s.worker_at == nothing;
}

constexpr byte all_works = 0x1f;

/// Everybody is done, nothing will run any more, and something was not done.
bool missed_a_turn(const model& s) {
  return at_rest(s) && (s.ran != all_works || s.inbox != idle || s.seen == 0);
}

bool two_turns_at_once(const model& s) {
  return s.second_turn != 0;
}

bool ran_something_twice(const model& s) {
  return s.ran_twice != 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_activation_model)

BOOST_AUTO_TEST_CASE(never_misses_a_turn) {
  auto all = all_of(flaw::none);
  BOOST_TEST(!all.finds(model{}, missed_a_turn));
  BOOST_TEST_MESSAGE(all.states() << " states");
  BOOST_TEST(all.states() > 1000U);
}

BOOST_AUTO_TEST_CASE(never_has_two_turns_at_once) {
  BOOST_TEST(!all_of(flaw::none).finds(model{}, two_turns_at_once));
}

BOOST_AUTO_TEST_CASE(never_runs_a_work_twice) {
  BOOST_TEST(!all_of(flaw::none).finds(model{}, ran_something_twice));
}

BOOST_AUTO_TEST_CASE(lies_in_the_executors_queue_at_most_once) {
  BOOST_TEST(!all_of(flaw::none).finds(model{}, [](const model& s) { return s.items > 1; }));
}

BOOST_AUTO_TEST_CASE(comes_to_rest_with_everything_done) {
  BOOST_TEST(all_of(flaw::none).finds(model{}, [](const model& s) {
    return at_rest(s) && s.ran == all_works && s.inbox == idle && s.seen != 0;
  }));
}

BOOST_AUTO_TEST_CASE(would_miss_a_turn_if_it_ended_with_a_plain_store) {
  BOOST_TEST(all_of(flaw::ends_its_turn_with_a_plain_store).finds(model{}, missed_a_turn));
}

BOOST_AUTO_TEST_CASE(would_lose_works_if_it_took_its_inbox_in_two_steps) {
  BOOST_TEST(all_of(flaw::takes_its_inbox_in_two_steps).finds(model{}, missed_a_turn));
}

BOOST_AUTO_TEST_CASE(would_have_two_turns_at_once_if_every_post_rang) {
  BOOST_TEST(all_of(flaw::rings_for_every_post).finds(model{}, two_turns_at_once));
}

BOOST_AUTO_TEST_CASE(would_overlook_a_stop_that_is_announced_before_it_is_wanted) {
  BOOST_TEST(all_of(flaw::nudges_before_it_wants).finds(model{}, missed_a_turn));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::activation_model_test
