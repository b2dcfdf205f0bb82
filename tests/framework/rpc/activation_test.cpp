#include <mailroom/tests/framework/rpc/support/scripted.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::tests::activation_test {
namespace {

using words = std::vector<std::string>;

struct scene {
  std::shared_ptr<script> with = std::make_shared<script>();
  stage on{scripted::described(with)};
};

std::string message_of(const answer& got) {
  return std::string(got.failure.value().message());
}

// Everything that ends one call by itself.
constexpr std::array endings{"throw_exception",
                             "throw_int",
                             "throw_call_error",
                             "result_error",
                             "result_value",
                             "result_nothing",
                             "no_bytes"};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_activation)

BOOST_AUTO_TEST_CASE(answers_with_what_the_handler_returns) {
  scene s;
  const auto id = s.on.call("add", 2, 3);
  s.on.run();
  const auto got = s.on.of(id);
  BOOST_TEST(got.count == 1);
  BOOST_TEST(got.as<int>() == 5);
}

BOOST_AUTO_TEST_CASE(starts_calls_in_the_order_they_were_sent) {
  scene s;
  words expected;
  for (int frame = 0; frame < 10; ++frame) {
    for (int i = 0; i < 100; ++i) {
      expected.push_back(std::to_string(100 * frame + i));
      s.on.call("note", expected.back());
    }
    s.on.arrive();
  }
  s.on.run();
  BOOST_TEST(s.with->log == expected, boost::test_tools::per_element());
  BOOST_TEST(s.on.answers() == 1000U);
}

BOOST_AUTO_TEST_CASE(rings_once_for_all_that_comes_before_its_turn) {
  scene s;
  for (int i = 0; i < 5; ++i) {
    s.on.call("add", 1, 2);
    s.on.arrive();
  }
  BOOST_TEST(s.on.rings() == 1);
  s.on.run();
  s.on.call("add", 1, 2);
  s.on.arrive();
  BOOST_TEST(s.on.rings() == 2);
  s.on.run();
}

BOOST_AUTO_TEST_CASE(answers_exactly_once_however_a_handler_ends) {
  scene s;
  std::vector<std::uint64_t> ids;
  for (const auto* method : endings) {
    ids.push_back(s.on.call(method));
  }
  s.on.run();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    BOOST_TEST_CONTEXT(endings[i]) {
      BOOST_TEST(s.on.of(ids[i]).count == 1);
    }
  }
  BOOST_TEST(s.on.activation->running() == 0U);
}

BOOST_AUTO_TEST_CASE(says_what_a_handler_threw) {
  scene s;
  const auto standard = s.on.call("throw_exception");
  const auto number = s.on.call("throw_int");
  s.on.run();
  const auto first = s.on.of(standard);
  BOOST_TEST(failed_with(first, errc::handler_failed));
  BOOST_TEST(message_of(first) == "no such shelf");
  BOOST_TEST(first.failure->type() == "std::out_of_range");
  BOOST_TEST((execution_of(first) == execution::ran_and_failed));
  const auto second = s.on.of(number);
  BOOST_TEST(failed_with(second, errc::handler_failed));
  BOOST_TEST(second.failure->type() == "int");
}

BOOST_AUTO_TEST_CASE(lets_a_handler_choose_the_error) {
  scene s;
  const auto thrown = s.on.call("throw_call_error");
  const auto returned = s.on.call("result_error");
  s.on.run();
  BOOST_TEST(failed_with(s.on.of(thrown), errc::denied));
  BOOST_TEST(message_of(s.on.of(thrown)) == "not you");
  BOOST_TEST(s.on.of(thrown).failure->retry_after().count() == 7);
  BOOST_TEST(failed_with(s.on.of(returned), errc::denied));
  BOOST_TEST((execution_of(s.on.of(returned)) == execution::ran_and_failed));
}

BOOST_AUTO_TEST_CASE(fails_a_call_whose_result_cannot_be_packed_and_no_other) {
  scene s;
  const auto before = s.on.call("add", 1, 1);
  const auto bad = s.on.call("no_bytes");
  const auto after = s.on.call("add", 2, 2);
  s.on.run();
  BOOST_TEST(s.on.of(before).as<int>() == 2);
  BOOST_TEST(failed_with(s.on.of(bad), errc::handler_failed));
  BOOST_TEST(s.on.of(bad).count == 1);
  BOOST_TEST(s.on.of(after).as<int>() == 4);
}

BOOST_AUTO_TEST_CASE(fails_a_call_whose_result_is_too_large_and_no_other) {
  const auto with = std::make_shared<script>();
  stage on(scripted::described(with), {.max_body = 1000});
  const auto before = on.call("repeat", 997);  // And three bytes that tell how long it is.
  const auto bad = on.call("repeat", 998);
  const auto after = on.call("repeat", 100);
  on.run();
  BOOST_TEST(on.of(before).as<std::string>().size() == 997U);
  BOOST_TEST(failed_with(on.of(bad), errc::too_large));
  BOOST_TEST(message_of(on.of(bad)).find("1001 bytes") != std::string::npos);
  BOOST_TEST(on.of(bad).count == 1);
  BOOST_TEST((execution_of(on.of(bad)) == execution::ran_and_failed));
  BOOST_TEST(on.of(after).as<std::string>().size() == 100U);
}

BOOST_AUTO_TEST_CASE(says_what_is_wrong_with_arguments) {
  scene s;
  const auto few = s.on.call("add", 1);
  const auto many = s.on.call("add", 1, 2, 3);
  const auto type = s.on.call("add", 1, "two");
  const std::array<std::byte, 3> junk{std::byte{0xc1}, std::byte{0xff}, std::byte{0x00}};
  const auto garbage = s.on.call_raw("add", junk);
  const auto nothing = s.on.call_raw("add", {});
  s.on.run();
  for (const auto id : {few, many, type, garbage, nothing}) {
    BOOST_TEST(failed_with(s.on.of(id), errc::invalid_arguments));
    BOOST_TEST(s.on.of(id).count == 1);
    BOOST_TEST(message_of(s.on.of(id)).find("stage.add") == 0U);
    BOOST_TEST((execution_of(s.on.of(id)) == execution::not_run));
  }
  BOOST_TEST(message_of(s.on.of(few)).find("takes 2 arguments, got 1") != std::string::npos);
  BOOST_TEST(message_of(s.on.of(type)).find("argument 2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(does_not_start_what_has_expired) {
  scene s;
  const auto late = s.on.call_until(deadline::after(s.on.now(), 5ms), "note", "late");
  const auto good = s.on.call_until(deadline::after(s.on.now(), 50ms), "note", "in time");
  s.on.arrive();
  s.on.advance(5ms);
  s.on.run();
  BOOST_TEST(s.with->log == words{"in time"}, boost::test_tools::per_element());
  BOOST_TEST(failed_with(s.on.of(late), errc::expired));
  BOOST_TEST((execution_of(s.on.of(late)) == execution::not_run));
  BOOST_TEST(s.on.of(good).count == 1);
  BOOST_TEST(!s.on.of(good).failure);
  BOOST_TEST(s.on.activation->counts().expired.load() == 1U);
}

BOOST_AUTO_TEST_CASE(says_so_when_a_handler_ended_after_the_deadline) {
  scene s;
  const auto id = s.on.call_until(deadline::after(s.on.now(), 5ms), "take_time", 6);
  s.on.run();
  BOOST_TEST(s.with->log.size() == 1U);
  BOOST_TEST(s.on.of(id).count == 1);
  BOOST_TEST(failed_with(s.on.of(id), errc::expired));
  BOOST_TEST((execution_of(s.on.of(id)) == execution::ran_and_failed));
}

BOOST_AUTO_TEST_CASE(refuses_the_newest_when_its_queue_is_full) {
  const auto with = std::make_shared<script>();
  stage on(scripted::described(with).queue_limit(3));
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(on.call("note", std::to_string(i)));
  }
  on.run();
  BOOST_TEST(with->log == (words{"0", "1", "2"}), boost::test_tools::per_element());
  for (std::size_t i = 3; i < 5; ++i) {
    const auto got = on.of(ids[i]);
    BOOST_TEST(got.count == 1);
    BOOST_TEST(failed_with(got, errc::busy));
    BOOST_TEST((execution_of(got) == execution::not_run));
    BOOST_TEST(got.failure->retry_after().count() > 0);
    BOOST_TEST(message_of(got).find("stage") != std::string::npos);
  }
  BOOST_TEST(on.activation->counts().refused.load() == 2U);
  const auto later = on.call("note", "again");
  on.run();
  BOOST_TEST(!on.of(later).failure);
}

BOOST_AUTO_TEST_CASE(interleaves_the_calls_of_a_reentrant_endpoint) {
  for (const auto* method : {"wait", "wait_on_fiber"}) {
    BOOST_TEST_CONTEXT(method) {
      scene s;
      const auto a = s.on.call(method, "a", 0);
      const auto b = s.on.call(method, "b", 1);
      s.on.run();
      BOOST_TEST(s.on.activation->running() == 2U);
      s.with->open(1);
      s.on.run();
      s.with->open(0);
      s.on.run();
      BOOST_TEST(s.with->log == (words{"a begins", "b begins", "b ends", "a ends"}),
                 boost::test_tools::per_element());
      BOOST_TEST(s.on.of(a).count == 1);
      BOOST_TEST(s.on.of(b).count == 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(runs_the_calls_of_an_exclusive_endpoint_one_at_a_time) {
  for (const auto* method : {"wait", "wait_on_fiber"}) {
    BOOST_TEST_CONTEXT(method) {
      const auto with = std::make_shared<script>();
      stage on(scripted::described(with).exclusive());
      on.call(method, "a", 0);
      on.call(method, "b", 1);
      on.call("note", "c");
      with->open(1);
      on.run();
      BOOST_TEST(on.activation->running() == 1U);
      BOOST_TEST(on.activation->queued() == 2U);
      with->open(0);
      on.run();
      BOOST_TEST(with->log == (words{"a begins", "a ends", "b begins", "b ends", "c"}),
                 boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(answers_a_coroutine_that_throws_after_it_was_suspended) {
  scene s;
  const auto id = s.on.call("wait_and_throw", 0);
  s.on.run();
  BOOST_TEST(s.on.of(id).count == 0);
  s.with->open(0);
  s.on.run();
  BOOST_TEST(s.on.of(id).count == 1);
  BOOST_TEST(failed_with(s.on.of(id), errc::handler_failed));
}

BOOST_AUTO_TEST_CASE(does_not_answer_casts) {
  scene s;
  s.on.cast("note", "told");
  s.on.cast("throw_exception");
  s.on.cast("add", 1);
  s.on.run();
  BOOST_TEST(s.with->log == words{"told"}, boost::test_tools::per_element());
  BOOST_TEST(s.on.answers() == 0U);
}

BOOST_AUTO_TEST_CASE(ends_a_turn_after_so_many_calls) {
  scene s;
  for (std::size_t i = 0; i < 2 * rpc::activation::max_calls; ++i) {
    s.on.call("note", "x");
  }
  s.on.arrive();
  BOOST_TEST(s.on.turn());
  BOOST_TEST(s.with->log.size() <= rpc::activation::max_calls);
  BOOST_TEST(s.with->log.size() >= rpc::activation::max_calls - 1);
  s.on.run();
  BOOST_TEST(s.with->log.size() == 2 * rpc::activation::max_calls);
}

BOOST_AUTO_TEST_CASE(ends_a_turn_after_a_millisecond_of_new_calls) {
  scene s;
  for (int i = 0; i < 10; ++i) {
    s.on.call("take_time", 1);
  }
  s.on.arrive();
  BOOST_TEST(s.on.turn());
  BOOST_TEST(s.with->log.size() == 1U);
  s.on.run();
  BOOST_TEST(s.with->log.size() == 10U);
}

BOOST_AUTO_TEST_CASE(ends_a_turn_after_a_millisecond_of_continued_calls) {
  scene s;
  for (std::size_t i = 0; i < 8; ++i) {
    s.on.call("wait_and_take_time", i);
  }
  s.on.run();
  for (std::size_t i = 0; i < 8; ++i) {
    s.with->open(i);
  }
  BOOST_TEST(s.on.turn());
  BOOST_TEST(s.with->log.size() == 1U);
  s.on.run();
  BOOST_TEST(s.with->log.size() == 8U);
}

// A handler that was continued in every round of a turn kept new calls waiting for ever.
BOOST_AUTO_TEST_CASE(starts_new_calls_although_running_ones_continue_all_the_time) {
  scene s;
  const auto restless = s.on.call("restless");
  s.on.arrive();
  s.on.call("note", "let in");
  s.on.run();
  BOOST_TEST(s.on.of(restless).as<bool>());
}

// Each turn counted anew how long new calls had waited, and ended before it had counted enough.
BOOST_AUTO_TEST_CASE(starts_new_calls_although_each_turn_has_time_for_little) {
  scene s;
  const auto slow = s.on.call("restless_and_slow");
  s.on.arrive();
  s.on.call("note", "let in");
  s.on.run();
  BOOST_TEST(s.on.of(slow).as<bool>());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::activation_test
