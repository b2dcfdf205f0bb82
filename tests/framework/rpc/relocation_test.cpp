#include <mailroom/tests/framework/rpc/support/scripted.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailroom::tests::relocation_test {
namespace {

using words = std::vector<std::string>;

/// Writes into the script's log what became of it.
class noted_relocation final : public rpc::relocation {
 public:
  noted_relocation(std::shared_ptr<script> with, std::string name)
      : with_(std::move(with)), name_(std::move(name)) {}
  void arrived() noexcept override { with_->log.push_back(name_ + " arrived"); }
  void undone(const error& why) noexcept override {
    with_->log.push_back(name_ + " undone: " + std::string(to_string(why.code())));
  }

 private:
  std::shared_ptr<script> with_;
  std::string name_;
};

struct scene {
  std::shared_ptr<script> with = std::make_shared<script>();
  stage on{scripted::described(with)};

  std::shared_ptr<rpc::relocation> order(const std::string& name = "move") {
    auto made = std::make_shared<noted_relocation>(with, name);
    on.activation->relocate(made);
    return made;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_relocation)

BOOST_AUTO_TEST_CASE(happens_at_the_end_of_a_turn_and_calls_go_along_in_order) {
  scene s;
  for (const auto* word : {"1", "2", "3"}) {
    s.on.call("note", word);
  }
  s.order();
  s.on.arrive();
  BOOST_TEST(s.on.turn());
  // The order came first; nothing started at the old place after it.
  BOOST_TEST(s.on.moves() == 1);
  BOOST_TEST(s.with->log.empty());
  s.on.run();
  BOOST_TEST(s.with->log == (words{"move arrived", "1", "2", "3"}),
             boost::test_tools::per_element());
  BOOST_TEST(s.on.answers() == 3U);
}

BOOST_AUTO_TEST_CASE(of_an_idle_endpoint_needs_no_call) {
  scene s;
  s.order();
  s.on.run();
  BOOST_TEST(s.on.moves() == 1);
  BOOST_TEST(s.with->log == words{"move arrived"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(takes_suspended_coroutines_along) {
  scene s;
  const auto waiting = s.on.call("wait", "a", 0);
  s.on.run();
  s.order();
  s.on.run();
  BOOST_TEST(s.on.moves() == 1);
  s.with->open(0);
  s.on.run();
  BOOST_TEST(s.with->log == (words{"a begins", "move arrived", "a ends"}),
             boost::test_tools::per_element());
  BOOST_TEST(s.on.of(waiting).count == 1);
}

BOOST_AUTO_TEST_CASE(waits_for_parked_fibers_and_starts_nothing_meanwhile) {
  scene s;
  const auto parked = s.on.call("wait_on_fiber", "a", 0);
  s.on.run();
  s.order();
  s.on.call("note", "later");
  s.on.run();
  BOOST_TEST(s.on.moves() == 0);
  BOOST_TEST(s.with->log == words{"a begins"}, boost::test_tools::per_element());
  s.with->open(0);
  s.on.run();
  BOOST_TEST(s.on.moves() == 1);
  BOOST_TEST(s.with->log == (words{"a begins", "a ends", "move arrived", "later"}),
             boost::test_tools::per_element());
  BOOST_TEST(s.on.of(parked).count == 1);
}

BOOST_AUTO_TEST_CASE(given_up_while_a_fiber_is_parked_leaves_all_as_it_was) {
  scene s;
  s.on.call("wait_on_fiber", "a", 0);
  s.on.run();
  const auto order = s.order();
  s.on.call("note", "later");
  s.on.run();
  s.on.activation->withdraw(order, error(errc::expired, "too long"));
  s.on.run();
  BOOST_TEST(s.on.moves() == 0);
  BOOST_TEST(s.with->log == (words{"a begins", "move undone: expired", "later"}),
             boost::test_tools::per_element());
  s.with->open(0);
  s.on.run();
  BOOST_TEST(s.on.moves() == 0);
  BOOST_TEST(s.on.answers() == 2U);
}

// Whoever had given it up waited for the handler that ran, and then it happened.
BOOST_AUTO_TEST_CASE(given_up_before_a_turn_looks_at_it_never_happens) {
  scene s;
  const auto order = s.order();
  s.on.activation->withdraw(order, error(errc::expired, "too long"));
  BOOST_TEST(s.with->log == words{"move undone: expired"}, boost::test_tools::per_element());
  s.order("another");
  s.on.call("note", "a call");
  s.on.run();
  BOOST_TEST(s.on.moves() == 1);
  BOOST_TEST(s.with->log == (words{"move undone: expired", "another arrived", "a call"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(given_up_too_late_has_happened) {
  scene s;
  const auto order = s.order();
  s.on.run();
  s.on.activation->withdraw(order, error(errc::expired, "too long"));
  s.on.run();
  BOOST_TEST(s.with->log == words{"move arrived"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(several_happen_one_after_the_other) {
  scene s;
  s.order("first");
  s.order("second");
  s.order("third");
  s.on.call("note", "a call");
  s.on.run();
  BOOST_TEST(s.on.moves() == 3);
  BOOST_TEST(s.with->log == (words{"first arrived", "second arrived", "third arrived", "a call"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(is_refused_by_an_endpoint_that_stops) {
  scene s;
  s.on.call("wait_on_fiber", "a", 0);
  s.on.run();
  s.order("before");
  s.on.run();
  s.on.activation->stop();
  s.order("after");
  s.on.run();
  BOOST_TEST(
      s.with->log == (words{"a begins", "before undone: stopping", "after undone: stopping"}),
      boost::test_tools::per_element());
  BOOST_TEST(s.on.moves() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::relocation_test
