#include <mailroom/tests/framework/rpc/support/scripted.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

// What becomes of calls when an activation is stopped, ended or destroyed.

namespace mailroom::tests::activation_end_test {
namespace {

using words = std::vector<std::string>;

struct scene {
  std::shared_ptr<script> with = std::make_shared<script>();
  stage on{scripted::described(with)};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_activation_end)

BOOST_AUTO_TEST_CASE(refuses_what_is_queued_and_finishes_what_runs_when_it_is_stopped) {
  const auto with = std::make_shared<script>();
  stage on(scripted::described(with).exclusive());
  const auto running = on.call("wait", "a", 0);
  const auto queued = on.call("note", "b");
  on.run();
  on.activation->stop();
  on.run();
  BOOST_TEST(failed_with(on.of(queued), errc::stopping));
  BOOST_TEST((execution_of(on.of(queued)) == execution::not_run));
  BOOST_TEST(!on.activation->quiet());
  const auto later = on.call("note", "c");
  on.run();
  BOOST_TEST(failed_with(on.of(later), errc::stopping));
  BOOST_TEST(!on.told_quiet());
  with->open(0);
  on.run();
  BOOST_TEST(on.of(running).as<int>() == 1);
  BOOST_TEST(on.activation->quiet());
  BOOST_TEST(on.told_quiet());
  BOOST_TEST(with->log == (words{"a begins", "a ends"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(cancels_what_waits_when_it_is_ended) {
  for (const auto* method : {"wait", "wait_on_fiber"}) {
    BOOST_TEST_CONTEXT(method) {
      scene s;
      const auto id = s.on.call(method, "a", 0);
      s.on.run();
      s.on.activation->end();
      s.on.run();
      BOOST_TEST(s.with->unwound == 1);
      BOOST_TEST(s.with->log == words{"a begins"}, boost::test_tools::per_element());
      BOOST_TEST(s.on.of(id).count == 1);
      BOOST_TEST(failed_with(s.on.of(id), errc::cancelled));
      BOOST_TEST(s.on.activation->quiet());
      BOOST_TEST(s.on.told_quiet());
    }
  }
}

BOOST_AUTO_TEST_CASE(ends_after_it_was_stopped) {
  scene s;
  const auto id = s.on.call("wait", "a", 0);
  s.on.run();
  s.on.activation->stop();
  s.on.activation->stop();
  s.on.activation->end();
  s.on.activation->end();
  s.on.run();
  BOOST_TEST(failed_with(s.on.of(id), errc::cancelled));
  BOOST_TEST(s.on.activation->quiet());
}

BOOST_AUTO_TEST_CASE(still_answers_a_handler_that_swallows_its_cancellation) {
  scene s;
  const auto id = s.on.call("stubborn", 0);
  s.on.run();
  s.on.activation->end();
  s.on.run();
  BOOST_TEST(s.on.of(id).count == 1);
  BOOST_TEST(s.on.activation->quiet());
}

BOOST_AUTO_TEST_CASE(answers_for_a_batch_that_is_dropped) {
  // Both a call that was started and dropped and one that nobody looked at.
  scene s;
  const auto id = s.on.call("note", "never");
  s.on.arrive();
  s.on.activation->end();
  s.on.run();
  BOOST_TEST(s.on.of(id).count == 1);
  BOOST_TEST(failed_with(s.on.of(id), errc::stopping));
  BOOST_TEST(s.with->log.empty());
}

BOOST_AUTO_TEST_CASE(answers_what_lies_in_its_inbox_when_it_is_destroyed) {
  const auto with = std::make_shared<script>();
  stage on(scripted::described(with));
  on.activation->end();
  on.run();
  const auto id = on.call("note", "never");
  on.arrive();
  on.activation.reset();
  BOOST_TEST(on.of(id).count == 1);
  BOOST_TEST(failed_with(on.of(id), errc::abandoned));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::activation_end_test
