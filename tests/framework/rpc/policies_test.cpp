#include <mailroom/framework/rpc/balance.hpp>
#include <mailroom/framework/rpc/retry_budget.hpp>
#include <mailroom/framework/rpc/server_health.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::tests::policies_test {
namespace {

std::vector<std::string> some_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back("node-" + std::to_string(i));
  }
  return names;
}

rpc::hash_ring ring_of(const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return rpc::hash_ring(views);
}

std::uint64_t key(std::size_t number) {
  return rpc::hash_of_key("customer " + std::to_string(number));
}

constexpr auto any = [](std::size_t) { return true; };

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_policies)

BOOST_AUTO_TEST_CASE(dice_of_one_seed_fall_alike) {
  rpc::dice one(7);
  rpc::dice same(7);
  rpc::dice other(8);
  std::array<std::size_t, 6> sides{};
  bool differ = false;
  for (int i = 0; i < 6000; ++i) {
    const std::size_t side = one.roll(6);
    BOOST_REQUIRE(side == same.roll(6));
    differ = differ || side != other.roll(6);
    ++sides[side];
  }
  BOOST_TEST(differ);
  for (const std::size_t each : sides) {
    BOOST_TEST(each > 850U);
    BOOST_TEST(each < 1150U);
  }
}

// The servers answer at different speeds: who is slow has more in flight, and gets less.
BOOST_AUTO_TEST_CASE(the_less_loaded_of_two_gets_the_call) {
  rpc::dice by(1);
  BOOST_TEST(rpc::least_of_two(by, 1, [](std::size_t) { return 5; }) == 0U);
  const std::array<int, 3> load{9, 1, 5};
  std::array<int, 3> got{};
  for (int i = 0; i < 3000; ++i) {
    ++got[rpc::least_of_two(by, 3, [&](std::size_t at) { return load[at]; })];
  }
  BOOST_TEST(got[0] == 0);
  BOOST_TEST(got[1] > 1800);  // In two of three pairs.
  BOOST_TEST(got[2] > 800);
}

BOOST_AUTO_TEST_CASE(equal_loads_are_spread_evenly) {
  rpc::dice by(2);
  std::vector<int> load(10);
  for (int i = 0; i < 10'000; ++i) {
    ++load[rpc::least_of_two(by, 10, [&](std::size_t at) { return load[at]; })];
  }
  const auto [least, most] = std::minmax_element(load.begin(), load.end());
  BOOST_TEST(*most - *least <= 8);
}

BOOST_AUTO_TEST_CASE(a_key_stays_where_it_is_and_keys_are_spread) {
  const auto names = some_names(10);
  const auto ring = ring_of(names);
  std::vector<int> got(10);
  for (std::size_t i = 0; i < 10'000; ++i) {
    const std::size_t at = ring.pick(key(i), any);
    BOOST_REQUIRE(at == ring_of(names).pick(key(i), any));
    ++got[at];
  }
  for (const int each : got) {
    BOOST_TEST(each > 600);
    BOOST_TEST(each < 1500);
  }
}

BOOST_AUTO_TEST_CASE(when_a_server_goes_only_its_own_keys_move) {
  auto names = some_names(10);
  const auto before = ring_of(names);
  const std::string gone = names[3];
  names.erase(names.begin() + 3);
  const auto after = ring_of(names);
  for (std::size_t i = 0; i < 2000; ++i) {
    const std::string was = some_names(10)[before.pick(key(i), any)];
    const std::string is = names[after.pick(key(i), any)];
    if (was != gone) {
      BOOST_REQUIRE(is == was);
    }
    // The same as when it is there and may not be used.
    BOOST_REQUIRE(some_names(10)[before.pick(key(i), [](std::size_t at) { return at != 3; })] ==
                  is);
  }
}

BOOST_AUTO_TEST_CASE(a_popular_key_takes_no_more_than_its_servers_share) {
  const auto names = some_names(5);
  const auto ring = ring_of(names);
  std::vector<std::size_t> load(5);
  for (std::size_t i = 0; i < 1000; ++i) {
    const std::size_t most = rpc::bounded_load(i, 5);
    ++load[ring.pick(key(0), [&](std::size_t at) { return load[at] < most; })];
  }
  BOOST_TEST(*std::max_element(load.begin(), load.end()) <= 251U);
  BOOST_TEST(rpc::bounded_load(0, 3) == 1U);
}

BOOST_AUTO_TEST_CASE(a_ring_that_fits_nobody_gives_the_keys_own_server) {
  const auto ring = ring_of(some_names(3));
  BOOST_TEST(ring.pick(key(1), [](std::size_t) { return false; }) == ring.pick(key(1), any));
}

BOOST_AUTO_TEST_CASE(a_budget_is_spent_by_failures_and_earned_by_successes) {
  rpc::retry_budget budget;
  int retries = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.failed();
    retries += budget.allows() ? 1 : 0;
  }
  BOOST_TEST(retries == 49);
  // Half of the tokens, and then a tenth for each.
  for (int i = 0; i < 500; ++i) {
    budget.succeeded();
    BOOST_TEST(!budget.allows());
  }
  budget.succeeded();
  BOOST_TEST(budget.allows());
}

BOOST_AUTO_TEST_CASE(of_a_steady_load_a_tenth_may_be_tried_again) {
  rpc::retry_budget budget;
  int failures = 0;
  int retries = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (i % 3 == 0) {
      budget.failed();
      ++failures;
      retries += budget.allows() ? 1 : 0;
    } else {
      budget.succeeded();
    }
  }
  BOOST_TEST(failures > 33'000);
  BOOST_TEST(retries < 100);
}

BOOST_AUTO_TEST_CASE(a_server_whose_calls_fail_in_a_row_rests) {
  rpc::server_health health;
  const time_point start{};
  for (int i = 0; i < 4; ++i) {
    BOOST_TEST(!health.failed(start, false));
  }
  BOOST_TEST(health.in_trouble());
  health.succeeded();
  for (int i = 0; i < 4; ++i) {
    BOOST_TEST(!health.failed(start, false));
  }
  BOOST_TEST(!health.rests(start));
  BOOST_TEST(health.failed(start, false));
  BOOST_TEST(health.rests(start));
  BOOST_TEST(health.rests(start + 999ms));
  BOOST_TEST(!health.rests(start + 1s));
}

BOOST_AUTO_TEST_CASE(each_rest_is_longer_up_to_a_bound_and_forgotten_in_good_times) {
  rpc::server_health health;
  time_point now{};
  const auto rest = [&] {
    while (!health.failed(now, false)) {
    }
    const duration took = health.rests_until() - now;
    now = health.rests_until();
    return took;
  };
  BOOST_TEST((rest() == 1s));
  BOOST_TEST((rest() == 2s));
  BOOST_TEST((rest() == 4s));
  for (int i = 0; i < 10; ++i) {
    rest();
  }
  BOOST_TEST((rest() == 30s));
  now += 29s;
  BOOST_TEST((rest() == 30s));
  now += 30s;
  BOOST_TEST((rest() == 1s));
}

BOOST_AUTO_TEST_CASE(a_server_that_is_busy_for_a_moment_does_not_rest) {
  rpc::server_health health;
  const time_point start{};
  for (int i = 0; i < 1000; ++i) {
    BOOST_REQUIRE(!health.failed(start + std::chrono::microseconds(i), true));
  }
  BOOST_TEST(health.failed(start + 1s, true));
}

BOOST_AUTO_TEST_CASE(what_was_out_before_a_rest_does_not_make_it_longer) {
  rpc::server_health health;
  const time_point start{};
  while (!health.failed(start, false)) {
  }
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(!health.failed(start + 10ms, false));
  }
  BOOST_TEST(!health.rests(start + 1s));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::policies_test
