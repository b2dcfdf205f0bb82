#include <mailroom/tools/mailroom/bench/histogram.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>

using mailroom::bench::histogram;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(bench_histogram)

BOOST_AUTO_TEST_CASE(an_empty_one_has_quantiles_of_zero) {
  const histogram none;
  BOOST_TEST(none.total() == 0U);
  BOOST_TEST(none.quantile_us(0.5) == 0);
}

BOOST_AUTO_TEST_CASE(quantiles_are_within_one_percent_at_every_size) {
  for (std::int64_t size = 1; size < 1'000'000'000'000; size = size * 3 + 1) {
    histogram one;
    one.record(std::chrono::nanoseconds(size));
    for (const double fraction : {0.0, 0.5, 1.0}) {
      BOOST_TEST(std::abs(one.quantile_us(fraction) * 1e3 - static_cast<double>(size)) <=
                 0.01 * static_cast<double>(size) + 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(quantiles_are_found_among_many) {
  histogram many;
  for (int i = 1; i <= 1000; ++i) {
    many.record(std::chrono::microseconds(i));
  }
  BOOST_TEST(many.total() == 1000U);
  BOOST_TEST(many.quantile_us(0.5) == 500, boost::test_tools::tolerance(0.01));
  BOOST_TEST(many.quantile_us(0.99) == 990, boost::test_tools::tolerance(0.01));
  BOOST_TEST(many.quantile_us(0.999) == 999, boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_counted_at_the_ends) {
  histogram odd;
  odd.record(-5ns);
  odd.record(std::chrono::hours(1000));
  BOOST_TEST(odd.total() == 2U);
  BOOST_TEST(odd.quantile_us(0) < 0.01);
  BOOST_TEST(odd.quantile_us(1) > 1e9);
}

BOOST_AUTO_TEST_SUITE_END()
