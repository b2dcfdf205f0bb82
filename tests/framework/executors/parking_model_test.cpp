#include <mailroom/tests/framework/executors/explorer.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>

namespace mailroom::tests::parking_model_test {
// How threads go to sleep and are woken, in all interleavings of a small number of them: first one
// sleeper (parker.hpp; the event loop and the cooperative executor), then workers that search and
// wake each other (work_stealing.cpp). Each broken variant must be found out, or the exploration
// would prove nothing.

namespace {

using byte = std::uint8_t;

// ---- one sleeper

enum class flaw {
  none,
  sleeps_without_looking_again,
  looks_before_it_publishes,
  stores_wait_in_a_buffer
};

constexpr std::size_t producers = 2;

struct parking {
  std::array<byte, producers> pushed{};  // One item of each producer.
  byte announced = 0;
  byte worker = 0;  // Program counters.
  std::array<byte, producers> producer{};
  // Stores that others do not see yet: what a processor does to stores weaker than sequentially
  // consistent.
  byte announce_buffered = 0;
  std::array<byte, producers> push_buffered{};
};

enum worker_at : byte { look, announce, look_again, take_back, fall_asleep };
enum producer_at : byte { publish, check, wake, gone };

bool has_item(const parking& s) {
  return std::any_of(s.pushed.begin(), s.pushed.end(), [](byte b) { return b != 0; });
}

void worker_step(const parking& s, flaw broken, std::vector<parking>& out) {
  parking n = s;
  switch (s.worker) {
    case look:
      if (has_item(s)) {
        *std::find(n.pushed.begin(), n.pushed.end(), byte{1}) = 0;  // Runs it.
      } else {
        n.worker = announce;
      }
      break;
    case announce:
      if (broken == flaw::stores_wait_in_a_buffer) {
        n.announce_buffered = 1;
      } else {
        n.announced = 1;
      }
      n.worker = broken == flaw::sleeps_without_looking_again ? fall_asleep : look_again;
      break;
    case look_again: n.worker = has_item(s) ? take_back : fall_asleep; break;
    case take_back:
      n.announce_buffered = 0;
      n.announced = 0;
      n.worker = look;
      break;
    default:  // The kernel compares and sleeps in one step, after all stores before it.
      if (s.announce_buffered != 0 || s.announced != 0) {
        return;
      }
      n.worker = look;
      break;
  }
  out.push_back(n);
}

void producer_step(const parking& s, std::size_t p, flaw broken, std::vector<parking>& out) {
  parking n = s;
  const bool swapped = broken == flaw::looks_before_it_publishes;
  switch (s.producer[p]) {
    case publish:
      if (broken == flaw::stores_wait_in_a_buffer) {
        n.push_buffered[p] = 1;
      } else {
        n.pushed[p] = 1;
      }
      n.producer[p] = swapped ? gone : check;
      break;
    case check: n.producer[p] = s.announced != 0 ? wake : swapped ? publish : gone; break;
    case wake:
      if (s.push_buffered[p] != 0) {
        return;  // An exchange waits for the stores before it.
      }
      n.announced = 0;
      n.producer[p] = swapped ? publish : gone;
      break;
    default: return;
  }
  out.push_back(n);
}

void buffer_steps(const parking& s, std::vector<parking>& out) {
  if (s.announce_buffered != 0) {
    parking n = s;
    n.announced = 1;
    n.announce_buffered = 0;
    out.push_back(n);
  }
  for (std::size_t p = 0; p != producers; ++p) {
    if (s.push_buffered[p] != 0) {
      parking n = s;
      n.pushed[p] = 1;
      n.push_buffered[p] = 0;
      out.push_back(n);
    }
  }
}

/// Whether an item can lie there while the worker sleeps and nobody is left to wake it.
bool loses_a_wake_up(flaw broken) {
  explorer<parking> all([broken](const parking& s, std::vector<parking>& out) {
    worker_step(s, broken, out);
    for (std::size_t p = 0; p != producers; ++p) {
      producer_step(s, p, broken, out);
    }
    buffer_steps(s, out);
  });
  parking start;
  if (broken == flaw::looks_before_it_publishes) {
    start.producer.fill(check);
  }
  const bool lost = all.finds(start, [](const parking& s) {
    return has_item(s) && s.worker == fall_asleep && s.announced != 0 &&
           std::all_of(s.producer.begin(), s.producer.end(), [](byte at) { return at == gone; });
  });
  BOOST_TEST_MESSAGE("states: " << all.states());
  return lost;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(parking_model)

BOOST_AUTO_TEST_CASE(no_wake_up_is_lost) {
  BOOST_TEST(!loses_a_wake_up(flaw::none));
}

BOOST_AUTO_TEST_CASE(finds_the_wake_up_lost_by_not_looking_again) {
  BOOST_TEST(loses_a_wake_up(flaw::sleeps_without_looking_again));
}

BOOST_AUTO_TEST_CASE(finds_the_wake_up_lost_by_looking_for_sleepers_first) {
  BOOST_TEST(loses_a_wake_up(flaw::looks_before_it_publishes));
}

BOOST_AUTO_TEST_CASE(finds_the_wake_up_lost_without_sequential_consistency) {
  BOOST_TEST(loses_a_wake_up(flaw::stores_wait_in_a_buffer));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::parking_model_test
