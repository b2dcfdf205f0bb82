#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <mailroom/framework/rpc/dispatcher.hpp>
#include <mailroom/framework/rpc/method.hpp>
#include <mailroom/framework/rpc/target.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::tests::dispatcher_test {
namespace {

class shelf {
 public:
  int any(context&) { return 1; }
};

// An endpoint that only offers methods of these names.
std::unique_ptr<stage> offering(std::initializer_list<std::string> methods) {
  auto built = endpoint<shelf>();
  for (const auto& name : methods) {
    std::move(built).method(name, &shelf::any);
  }
  return std::make_unique<stage>(std::move(built));
}

wire::route asked(std::string method, std::string version = {}, std::string name_space = {}) {
  return {0, "mailroom", "stock", std::move(name_space), std::move(version), std::move(method)};
}

std::string message_of(const result<rpc::dispatcher::found>& failed) {
  return std::string(failed.error().message());
}

struct version_rule {
  std::string implemented;
  std::string requested;
  bool served;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_dispatcher)

BOOST_AUTO_TEST_CASE(compares_versions_as_oslo_does) {
  const std::vector<version_rule> rules{{"1.0", "1.0", true},
                                        {"1.4", "1.0", true},
                                        {"1.4", "1.4", true},
                                        {"1.4", "1.5", false},
                                        {"1.4", "2.0", false},
                                        {"2.0", "1.0", false},
                                        {"1.10", "1.9", true},
                                        {"1.9", "1.10", false},
                                        {"", "", true},
                                        {"", "1.0", true},
                                        {"", "1.1", false},
                                        {"1.3", "", true},
                                        {"2.0", "", false},
                                        {"0.1", "0.1", true},
                                        {"4294967295.4294967295", "4294967295.0", true},
                                        {"1", "1.0", false},
                                        {"1.0", "1", false},
                                        {"1.0", "one", false},
                                        {"1.0", "1.0.0", false},
                                        {"1.0", "-1.0", false},
                                        {"1.0", "1.-1", false},
                                        {"1.0", "4294967297.0", false},
                                        {"1.0", " 1.0", false},
                                        {"1.0", "1.", false},
                                        {"1.0", ".0", false}};
  for (const auto& each : rules) {
    BOOST_TEST_CONTEXT(each.implemented << " asked for " << each.requested) {
      BOOST_TEST(rpc::version_is_compatible(each.implemented, each.requested) == each.served);
    }
  }
}

BOOST_AUTO_TEST_CASE(takes_only_versions_that_are_major_minor) {
  for (const auto* good : {"", "1.0", "12.34"}) {
    BOOST_TEST(rpc::check_version(good).has_value());
  }
  for (const auto* bad : {"1", "1.", ".1", "1.0.0", "v1.0", "1.x", "1,0", " 1.0", "1.0 "}) {
    const auto checked = rpc::check_version(bad);
    BOOST_TEST_REQUIRE(!checked.has_value());
    BOOST_TEST((checked.error() == errc::invalid_value));
    BOOST_TEST(checked.error().message().find("major.minor") != std::string_view::npos);
  }
}

BOOST_AUTO_TEST_CASE(finds_a_method_by_its_name) {
  const auto stock = offering({"reserve", "price"});
  rpc::dispatcher known;
  known.add({.topic = "stock"}, *stock->activation);
  const auto found = known.find(asked("price"));
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->at == &*stock->activation);
  BOOST_TEST(found->what->name() == "price");
}

BOOST_AUTO_TEST_CASE(asks_endpoints_in_the_order_they_were_added) {
  const auto first = offering({"both", "mine"});
  const auto second = offering({"both", "yours"});
  rpc::dispatcher known;
  known.add({.topic = "stock"}, *first->activation);
  known.add({.topic = "stock"}, *second->activation);
  BOOST_TEST(known.find(asked("both"))->at == &*first->activation);
  BOOST_TEST(known.find(asked("mine"))->at == &*first->activation);
  BOOST_TEST(known.find(asked("yours"))->at == &*second->activation);
}

BOOST_AUTO_TEST_CASE(passes_over_endpoints_of_another_version) {
  const auto old_one = offering({"price"});
  const auto new_one = offering({"price"});
  rpc::dispatcher known;
  known.add({.topic = "stock", .version = "1.4"}, *old_one->activation);
  known.add({.topic = "stock", .version = "2.1"}, *new_one->activation);
  BOOST_TEST(known.find(asked("price", "1.2"))->at == &*old_one->activation);
  BOOST_TEST(known.find(asked("price", "2.0"))->at == &*new_one->activation);
  BOOST_TEST(known.find(asked("price"))->at == &*old_one->activation);
  const auto neither = known.find(asked("price", "3.0"));
  BOOST_TEST_REQUIRE(!neither.has_value());
  BOOST_TEST((neither.error() == errc::unsupported_version));
  BOOST_TEST(message_of(neither) == "topic 'stock' does not serve version 3.0; it serves 1.4, 2.1");
}

BOOST_AUTO_TEST_CASE(passes_over_endpoints_of_another_namespace) {
  const auto usual = offering({"price"});
  const auto admin = offering({"price"});
  rpc::dispatcher known;
  known.add({.topic = "stock"}, *usual->activation);
  known.add({.topic = "stock", .name_space = "admin"}, *admin->activation);
  BOOST_TEST(known.find(asked("price"))->at == &*usual->activation);
  BOOST_TEST(known.find(asked("price", "", "admin"))->at == &*admin->activation);
  const auto neither = known.find(asked("price", "", "audit"));
  BOOST_TEST_REQUIRE(!neither.has_value());
  BOOST_TEST((neither.error() == errc::no_such_namespace));
  BOOST_TEST(message_of(neither) == "topic 'stock' has no namespace 'audit'; it has '', 'admin'");
}

BOOST_AUTO_TEST_CASE(finds_a_method_behind_an_endpoint_that_lacks_it_before_it_says_no) {
  const auto first = offering({"price"});
  rpc::dispatcher known;
  known.add({.topic = "stock"}, *first->activation);
  const auto missing = known.find(asked("prise"));
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error() == errc::no_such_method));
  BOOST_TEST(message_of(missing).find("prise") != std::string::npos);
  BOOST_TEST(message_of(missing).find("nearest: price") != std::string::npos);
  BOOST_TEST((missing.error().execution() == execution::not_run));
}

BOOST_AUTO_TEST_CASE(prefers_to_miss_a_method_over_a_version_when_some_endpoint_has_the_version) {
  const auto one = offering({"price"});
  const auto two = offering({"reserve"});
  rpc::dispatcher known;
  known.add({.topic = "stock", .version = "1.0"}, *one->activation);
  known.add({.topic = "stock", .version = "2.0"}, *two->activation);
  const auto missing = known.find(asked("price", "2.0"));
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error() == errc::no_such_method));
}

BOOST_AUTO_TEST_CASE(keeps_exchanges_apart) {
  const auto stock = offering({"price"});
  rpc::dispatcher known;
  known.add({.exchange = "shop", .topic = "stock"}, *stock->activation);
  BOOST_TEST(!known.find(asked("price")).has_value());
  auto in_shop = asked("price");
  in_shop.exchange = "shop";
  BOOST_TEST(known.find(in_shop).has_value());
}

BOOST_AUTO_TEST_CASE(says_that_nobody_serves_a_topic) {
  const rpc::dispatcher known;
  const auto missing = known.find(asked("price"));
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error() == errc::no_server));
  BOOST_TEST(message_of(missing).find("stock") != std::string::npos);
  BOOST_TEST(message_of(missing).find("mailroom") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(never_finds_names_that_are_empty_or_begin_with_an_underscore) {
  const auto stock = offering({"price"});
  rpc::dispatcher known;
  known.add({.topic = "stock"}, *stock->activation);
  BOOST_TEST((known.find(asked("")).error() == errc::no_such_method));
  BOOST_TEST((known.find(asked("_price")).error() == errc::no_such_method));
}

BOOST_AUTO_TEST_CASE(grows_its_generation_with_every_endpoint) {
  const auto stock = offering({"price"});
  rpc::dispatcher known;
  const auto before = known.generation();
  known.add({.topic = "stock"}, *stock->activation);
  BOOST_TEST(known.generation() > before);
}

BOOST_AUTO_TEST_CASE(is_given_only_methods_that_can_be_exposed) {
  const auto exposing = [](const std::string& name) {
    endpoint<shelf>().method(name, &shelf::any);
  };
  BOOST_CHECK_THROW(exposing(""), std::invalid_argument);
  BOOST_CHECK_THROW(exposing("_private"), std::invalid_argument);
  BOOST_CHECK_THROW(endpoint<shelf>().method("any", &shelf::any).method("any", &shelf::any),
                    std::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::dispatcher_test
