#include <mailroom/framework/rpc/chunk_pace.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>

// How many bytes of a large body are under way, on links of all kinds.

namespace mailroom::tests::chunk_pace_test {
namespace {

struct link_kind {
  double bytes_per_second;
  duration there_and_back;
};

struct seen {
  duration took{};          // For the whole body.
  duration longest_wait{};  // Of what is written behind a chunk, in the second half.
};

duration time_for(double bytes, const link_kind& by) {
  return duration(static_cast<duration::rep>(bytes / by.bytes_per_second * 1e9));
}

// Sends a body by a link that takes one chunk after the other; time is only counted.
seen send(std::size_t body, const link_kind& by) {
  struct under_way {
    std::size_t bytes;
    duration left;
    duration back;
  };
  rpc::chunk_pace pace;
  std::deque<under_way> chunks;
  seen found;
  duration now{};
  duration free_at{};  // When the link has taken all that was written.
  std::size_t written = 0;
  std::size_t unacknowledged = 0;
  while (written < body || !chunks.empty()) {
    while (written < body && unacknowledged < pace.window()) {
      const std::size_t size = std::min(pace.chunk(), body - written);
      free_at = std::max(free_at, now) + time_for(static_cast<double>(size), by);
      chunks.push_back({size, now, free_at + by.there_and_back});
      written += size;
      unacknowledged += size;
    }
    if (written > body / 2) {
      found.longest_wait = std::max<duration>(found.longest_wait, free_at - now);
    }
    const auto next = chunks.front();
    chunks.pop_front();
    now = next.back;
    unacknowledged -= next.bytes;
    pace.taken(next.bytes, now - next.left);
  }
  found.took = now;
  return found;
}

void check(std::size_t body, const link_kind& by, duration most_wait) {
  const auto found = send(body, by);
  const auto best = time_for(static_cast<double>(body), by);
  BOOST_TEST_CONTEXT(by.bytes_per_second << " bytes/s, took " << found.took / 1us << " us of "
                                         << best / 1us << ", behind it " << found.longest_wait / 1us
                                         << " us") {
    BOOST_TEST((found.took < best * 5 / 4 + by.there_and_back * 12));
    BOOST_TEST((found.longest_wait <= most_wait));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_chunk_pace)

BOOST_AUTO_TEST_CASE(fills_a_slow_link_and_keeps_it_short) {
  check(20'000'000, {125'000, 100ms}, 150ms);
  check(2'000'000, {125'000, 1ms}, 200ms);
  check(20'000'000, {1'250'000, 20ms}, 100ms);
}

BOOST_AUTO_TEST_CASE(fills_a_fast_link) {
  check(100'000'000, {125'000'000, 1ms}, 100ms);
  check(100'000'000, {2'000'000'000, 100us}, 100ms);
}

BOOST_AUTO_TEST_CASE(fills_a_fast_link_that_is_long) {
  check(200'000'000, {30'000'000, 100ms}, 100ms);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::chunk_pace_test
