#include <mailroom/tests/conformance/cases.hpp>

// Every case once for each combination: conformance.<executor>.<transport>.<case>.
#define MAILROOM_CASE(name)      \
  BOOST_AUTO_TEST_CASE(name) {   \
    mailroom::tests::name(here); \
  }

BOOST_AUTO_TEST_SUITE(conformance)

BOOST_AUTO_TEST_SUITE(cooperative)
BOOST_AUTO_TEST_SUITE(local)
const mailroom::tests::combination here{"cooperative", false};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(zmq)
const mailroom::tests::combination here{"cooperative", true};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(work_stealing)
BOOST_AUTO_TEST_SUITE(local)
const mailroom::tests::combination here{"work-stealing", false};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(zmq)
const mailroom::tests::combination here{"work-stealing", true};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(loop_bound)
BOOST_AUTO_TEST_SUITE(local)
const mailroom::tests::combination here{"loop-bound", false};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(zmq)
const mailroom::tests::combination here{"loop-bound", true};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

// The second of two loops: what arrives there, and what leaves by the first.
BOOST_AUTO_TEST_SUITE(loop_bound_1)
BOOST_AUTO_TEST_SUITE(local)
const mailroom::tests::combination here{"loop-bound/1", false};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE(zmq)
const mailroom::tests::combination here{"loop-bound/1", true};
#include <mailroom/tests/conformance/cases.def>
BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
