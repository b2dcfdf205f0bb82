#include <mailroom/framework/base/symbols.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace mailroom::tests::symbols_test {
namespace {

// Not exported: no dynamic symbol table has it.
[[gnu::noinline]] void* where_it_is_called_from() {
  return __builtin_return_address(0);
}

struct caller {
  [[gnu::noinline]] static void* call(int /*much*/) {
    void* const here = where_it_is_called_from();
    asm volatile("" ::: "memory");  // No tail call.
    return here;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(symbols)

BOOST_AUTO_TEST_CASE(names_functions_that_the_program_keeps_to_itself) {
  const std::array<void*, 2> stack{reinterpret_cast<void*>(&where_it_is_called_from),
                                   caller::call(1)};
  const auto names = mailroom::functions_at(stack);
  BOOST_REQUIRE(names.size() == 2U);
  BOOST_TEST(names[0] ==
             "mailroom::tests::symbols_test::(anonymous namespace)::where_it_is_called_from");
  BOOST_TEST(names[1] == "mailroom::tests::symbols_test::(anonymous namespace)::caller::call");
}

BOOST_AUTO_TEST_CASE(names_functions_of_libraries) {
  const std::array<void*, 1> stack{reinterpret_cast<void*>(&std::getenv)};
  const auto names = mailroom::functions_at(stack);
  BOOST_TEST(names[0].find("getenv") != std::string::npos, names[0]);
}

BOOST_AUTO_TEST_CASE(says_where_it_is_if_nobody_knows_its_name) {
  const std::array<void*, 2> stack{nullptr, reinterpret_cast<void*>(16)};
  const auto names = mailroom::functions_at(stack);
  BOOST_TEST(names[0] == "+0x0");
  BOOST_TEST(names[1] == "+0xf");
  BOOST_TEST(mailroom::functions_at({}).empty());
}

BOOST_AUTO_TEST_CASE(leaves_out_parameters_template_arguments_and_return_types) {
  const auto brief = [](const char* name) { return mailroom::brief_function_name(name); };
  BOOST_TEST(brief("main") == "main");
  BOOST_TEST(brief("shop::stock::reserve(mailroom::context&, std::vector<int>)") ==
             "shop::stock::reserve");
  BOOST_TEST(brief("shop::stock::count() const") == "shop::stock::count");
  BOOST_TEST(brief("void std::this_thread::sleep_for<long, std::ratio<1l, 1000l> >(int const&)") ==
             "std::this_thread::sleep_for");
  BOOST_TEST(brief("(anonymous namespace)::busy::spin(int)") ==
             "(anonymous namespace)::busy::spin");
  BOOST_TEST(brief("shop::stock::later(int) [clone .actor]") == "shop::stock::later");
  BOOST_TEST(brief("main::{lambda(mailroom::node&)#1}::operator()(mailroom::node&) const") ==
             "main::{lambda#1}::operator()");
  BOOST_TEST(brief("shop::open() const::{lambda()#2}::operator()() const") ==
             "shop::open::{lambda#2}::operator()");
  BOOST_TEST(brief("std::ostream& shop::operator<< <int>(std::ostream&, int)") ==
             "shop::operator<<");
  BOOST_TEST(brief("shop::price::operator bool() const") == "bool");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::symbols_test
