#include <mailroom/services/host/stack_line.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace mailroom::tests::stack_line_test {
using mailroom::stack_line;
using names = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(stack_line_of)

BOOST_AUTO_TEST_CASE(a_handler_leaves_out_who_called_it) {
  const names stack{"nanosleep",
                    "std::this_thread::sleep_for",
                    "stock::reserve",
                    "std::__invoke_impl",
                    "mailroom::rpc::detail::bound_method::start",
                    "caf::scheduled_actor::resume",
                    "mailroom::executors::cooperative::run",
                    "libc.so.6+0x89044"};
  BOOST_TEST(stack_line(stack, 512) == "nanosleep < std::this_thread::sleep_for < stock::reserve");
}

BOOST_AUTO_TEST_CASE(mailroom_itself_is_whole) {
  const names stack{"mailroom::rpc::activation::turn", "mailroom::executors::cooperative::run"};
  BOOST_TEST(stack_line(stack, 512) ==
             "mailroom::rpc::activation::turn < mailroom::executors::cooperative::run");
  BOOST_TEST(stack_line({}, 512).empty());
}

BOOST_AUTO_TEST_CASE(a_deep_recursion_keeps_both_ends) {
  names stack(40, "parser::value");
  stack.front() = "memmove";
  stack.back() = "stock::load";
  const auto line = stack_line(stack, 100);
  BOOST_TEST(line.size() <= 100U, line);
  BOOST_TEST(line.starts_with("memmove < parser::value < "), line);
  BOOST_TEST(line.ends_with(" < ... < stock::load"), line);
}

BOOST_AUTO_TEST_CASE(names_without_end_is_cut) {
  BOOST_TEST(stack_line(names{std::string(600, 'a')}, 100).size() <= 100U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::stack_line_test
