#include <mailroom/framework/base/clock.hpp>

#include <boost/test/unit_test.hpp>

namespace mailroom::tests::clock_test {

BOOST_AUTO_TEST_SUITE(clocks)

// The usual way to say "no limit" was taken for "at once".
BOOST_AUTO_TEST_CASE(the_longest_pause_never_ends) {
  const time_point now = clock::now();
  BOOST_TEST((later(now, duration::max()) == time_point::max()));
  BOOST_TEST((later(now, 1s) == now + 1s));
  BOOST_TEST((later(now, -1s) == now - 1s));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::clock_test
