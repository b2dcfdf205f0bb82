#include <mailroom/framework/rpc/reconnect_pause.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <vector>

// When a client comes back to a server that it has lost.

namespace mailroom::tests::reconnect_pause_test {
namespace {

struct client {
  explicit client(unsigned seed, duration longest = 5s) : pause(50ms, longest), random(seed) {}

  time_point attempt(time_point at) {
    pause.attempt(at);
    attempts.push_back(at);
    return at;
  }
  time_point again(time_point at, bool orderly = false, std::uint32_t peers = 1) {
    return pause.again(at, orderly, peers, std::uniform_real_distribution<>(0, 1)(random));
  }
  /// In any 10 seconds.
  std::size_t most_attempts() const {
    std::size_t most = 0;
    for (std::size_t i = 0, from = 0; i < attempts.size(); ++i) {
      while (attempts[from] + 10s <= attempts[i]) {
        ++from;
      }
      most = std::max(most, i - from + 1);
    }
    return most;
  }

  rpc::reconnect_pause pause;
  std::minstd_rand random;
  std::vector<time_point> attempts;
};

const time_point begin{1h};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_reconnect_pause)

BOOST_AUTO_TEST_CASE(grows_while_nobody_answers_and_stays_below_ten_attempts_in_ten_seconds) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    client one(seed);
    time_point now = begin;
    while (now < begin + 60s) {
      now = one.again(one.attempt(now));
    }
    BOOST_TEST(one.most_attempts() <= 10U);
    BOOST_TEST((one.attempts[1] - one.attempts[0] <= 50ms));
    BOOST_TEST((one.attempts.back() - *(one.attempts.end() - 2) >= 2500ms));
  }
}

// As directories are: everyone is back within a heartbeat.
BOOST_AUTO_TEST_CASE(is_never_longer_than_asked_for_however_long_nobody_answers) {
  client one(1, 1s);
  time_point now = begin;
  while (now < begin + 60s) {
    const time_point next = one.again(one.attempt(now));
    BOOST_TEST((next - now <= 1s));
    now = next;
  }
}

// Each time it was taken for a server that is well.
BOOST_AUTO_TEST_CASE(does_not_hurry_back_to_a_server_that_dies_as_often_as_it_starts) {
  for (const bool orderly : {false, true}) {
    client one(1);
    time_point now = begin;
    while (now < begin + 60s) {
      one.attempt(now);
      one.pause.connected(now);
      now = one.again(now + 10ms, orderly);
    }
    BOOST_TEST(one.most_attempts() <= 10U);
  }
}

// Data links were not counted: 13 to 22 connections.
BOOST_AUTO_TEST_CASE(counts_the_data_links_of_sessions_that_break) {
  for (const std::size_t links : {1U, 2U, 3U}) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
      client one(seed);
      time_point now = begin;
      while (now < begin + 60s) {
        one.attempt(now);
        one.pause.attempt_data(now, links);
        one.attempts.insert(one.attempts.end(), links, now);
        one.pause.connected(now);
        now = one.again(now + 10ms, false);
      }
      BOOST_TEST(one.most_attempts() <= 10U);
    }
  }
}

// In which the server is down now and then.
BOOST_AUTO_TEST_CASE(counts_them_among_attempts_that_fail) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    client one(seed);
    std::minstd_rand down(seed);
    time_point now = begin;
    while (now < begin + 60s) {
      one.attempt(now);
      if (down() % 3 == 0) {
        one.pause.attempt_data(now, 1);
        one.attempts.push_back(now);
        one.pause.connected(now);
      }
      now = one.again(now + 10ms, false);
    }
    BOOST_TEST(one.most_attempts() <= 10U);
  }
}

// One client after the other for the same address, since directories forget and find it: each began
// at once.
BOOST_AUTO_TEST_CASE(is_kept_from_one_client_of_an_address_to_the_next) {
  client c(1);
  time_point now{};
  for (int i = 0; i < 100; ++i) {
    now = c.attempt(std::max(now + 200ms, c.pause.allowed(now + 200ms)));
    c.pause.connected(now);
  }
  BOOST_TEST(c.most_attempts() <= 10U);
}

BOOST_AUTO_TEST_CASE(is_short_again_after_a_session_that_lasted_or_ended_in_good_order) {
  for (const bool lasted : {false, true}) {
    client one(1);
    time_point now = begin;
    for (int i = 0; i < 5; ++i) {
      now = one.again(one.attempt(now));
    }
    one.attempt(now);
    one.pause.connected(now);
    now += lasted ? 20s : 15s;  // So that the attempts before do not count.
    BOOST_TEST((one.again(now, !lasted) - now <= 60ms));
  }
}

BOOST_AUTO_TEST_CASE(spreads_those_who_lose_a_server_together) {
  std::vector<duration> pauses;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    client one(seed);
    one.attempt(begin);
    one.pause.connected(begin);
    pauses.push_back(one.again(begin + 1min, false, 200) - (begin + 1min));
  }
  const auto [first, last] = std::minmax_element(pauses.begin(), pauses.end());
  BOOST_TEST((*last - *first > 1s));
  BOOST_TEST((*last < 3s));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::reconnect_pause_test
