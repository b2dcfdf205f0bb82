// The main function of every test program. The cases are in suites, which name them.
#define BOOST_TEST_MODULE mailroom

#include <boost/test/unit_test.hpp>
