// What the three styles of handlers may rely on.

#include <mailroom/tests/conformance/cases.hpp>

namespace mailroom::tests {
namespace {

void check_answer(stage& at, const std::string& method) {
  const auto got = at.probes().call<said>(method, "hello");
  BOOST_REQUIRE_MESSAGE(got, why(got));
  BOOST_TEST(got->text == "hello");
  at.check_thread(*got);
}

void check_assembly(const combination& of, const std::string& method, std::size_t total) {
  stage at(of);
  check_answer(at, "suspending");  // What is made once has been made.
  const auto threads_before = at.probes().call<std::size_t>("threads").value();
  std::vector<std::future<result<said>>> out;
  const auto probes = at.probes();
  for (std::size_t i = 1; i < total; ++i) {
    out.push_back(probes.future_call<said>(method, total));
  }
  // In the order of sending: when this is answered, all before it wait.
  BOOST_TEST(at.probes().call<std::size_t>("threads").value() == threads_before);
  BOOST_TEST(static_cast<int>(out.front().wait_for(0s)) ==
             static_cast<int>(std::future_status::timeout));
  out.push_back(probes.future_call<said>(method, total));
  std::size_t right = 0;
  for (auto& each : out) {
    const auto got = each.get();
    BOOST_REQUIRE_MESSAGE(got, why(got));
    right += got->text == "all here" && at.is_handler_thread(got->thread) ? 1U : 0U;
  }
  BOOST_TEST(right == total);
}

void check_would_block(const combination& of, const std::string& method) {
  stage at(of);
  const auto got = at.probes().call<said>(method);
  BOOST_REQUIRE_MESSAGE(got, why(got));
  BOOST_TEST(got->text.starts_with("would_block"), got->text);
  // It names the handler and both remedies.
  for (const auto* word : {"probe.", "suspending", "co_await"}) {
    BOOST_TEST(got->text.find(word) != std::string::npos, got->text);
  }
  at.check_thread(*got);
  at.check_ran("plain", 0);
}

}  // namespace

void answers_from_plain_handlers(const combination& of) {
  stage at(of);
  check_answer(at, "plain");
}

void answers_from_coroutines(const combination& of) {
  stage at(of);
  check_answer(at, "coroutine");
}

void answers_from_suspending_handlers(const combination& of) {
  stage at(of);
  check_answer(at, "suspending");
}

void resumes_where_the_style_says_after_a_timer(const combination& of) {
  stage at(of);
  for (int i = 0; i < 20; ++i) {
    const auto coroutine = at.probes().call<std::vector<std::string>>("pause_in_coroutine").value();
    const auto on_fiber = at.probes().call<std::vector<std::string>>("pause_on_fiber").value();
    at.check_threads(coroutine);
    at.check_threads(on_fiber);
    BOOST_TEST(on_fiber.front() == on_fiber.back());  // A fiber never changes thread.
    if (of.executor != "work-stealing") {
      BOOST_TEST(coroutine.front() == coroutine.back());
    }
  }
}

void nests_calls_three_deep(const combination& of) {
  stage at(of);
  for (const auto* method : {"descend", "descend_on_fiber"}) {
    const auto threads = at.probes().call<std::vector<std::string>>(method, 3);
    BOOST_REQUIRE_MESSAGE(threads, why(threads));
    BOOST_TEST(threads->size() == 3U);
    at.check_threads(*threads);
  }
}

void keeps_ten_thousand_coroutines_waiting_at_one_moment(const combination& of) {
  check_assembly(of, "assemble", 10'000);
}

void keeps_ten_thousand_fibers_waiting_at_one_moment(const combination& of) {
  check_assembly(of, "assemble_on_fiber", 10'000);
}

void refuses_to_block_in_a_plain_handler(const combination& of) {
  check_would_block(of, "calls_in_plain");
}

void refuses_to_block_in_a_coroutine(const combination& of) {
  check_would_block(of, "calls_in_coroutine");
}

void runs_one_call_at_a_time_when_exclusive(const combination& of) {
  stage at(of);
  std::vector<std::future<result<int>>> out;
  const auto alone = at.alone();
  for (int i = 0; i < 20; ++i) {
    out.push_back(alone.future_call<int>("nap", 1));
  }
  for (auto& each : out) {
    BOOST_TEST(each.get().value() == 1);
  }
  at.check_ran("hermit_started", 20);
  at.check_threads({at.alone().call<std::string>("thread").value()});
}

void tells_a_call_that_would_wait_for_itself(const combination& of) {
  stage at(of);
  using topics = std::vector<std::string>;
  const auto apart = at.alone().call<said>("ask", topics{"left", "right"});
  BOOST_REQUIRE_MESSAGE(apart, why(apart));
  BOOST_TEST(apart->text == "asked");
  at.check_thread(*apart);
  const auto back = at.alone().call<said>("ask", topics{"left", "right", "left"});
  BOOST_REQUIRE_MESSAGE(back, why(back));
  BOOST_TEST(back->text == "deadlock: it would wait for itself: left.ask → right.ask → left.ask");
  at.check_thread(*back);
}

}  // namespace mailroom::tests
