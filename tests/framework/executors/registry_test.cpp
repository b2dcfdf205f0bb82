#include <mailroom/tests/framework/executors/fixture.hpp>

#include <boost/test/unit_test.hpp>

namespace mailroom::tests::registry_test {
using namespace executors;

namespace {

executor::options minimal() {
  executor::options with;
  with.name = "main";
  with.run = &job::run;
  return with;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(makes_each_policy_by_its_name) {
  event_loop loop("mr-loop-0", platform::system());
  auto with = minimal();
  with.loops = {&loop};
  BOOST_TEST(
      policies() == (std::vector<std::string_view>{"cooperative", "work-stealing", "loop-bound"}),
      boost::test_tools::per_element());
  for (const std::string_view policy : policies()) {
    auto made = make_executor(policy, with);
    BOOST_REQUIRE(made);
    BOOST_TEST((*made)->policy() == policy);
    BOOST_TEST((*made)->name() == "main");
  }
}

BOOST_AUTO_TEST_CASE(names_what_there_is_when_asked_for_what_there_is_not) {
  const auto made = make_executor("work_sharing", minimal());
  BOOST_REQUIRE(!made);
  BOOST_TEST((made.error().code() == errc::invalid_value));
  BOOST_TEST(made.error().message() ==
             "no executor policy 'work_sharing': there are cooperative, work-stealing, loop-bound "
             "(nearest: work-stealing)");
}

BOOST_AUTO_TEST_CASE(refuses_options_that_cannot_work) {
  auto with = minimal();
  BOOST_TEST((make_executor("loop-bound", with).error().code() == errc::invalid_value));
  with.run = nullptr;
  BOOST_TEST((make_executor("cooperative", with).error().code() == errc::invalid_value));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::registry_test
