// Ends and beginnings, with calls in flight.

#include <mailroom/tests/conformance/cases.hpp>
#include <mailroom/tests/support/process.hpp>

#include <signal.h>

#include <future>

namespace mailroom::tests {

void outlives_its_callers(const combination& of) {
  stage at(of);
  constexpr long calls = 100;
  if (of.across) {
    process other({MAILROOM_CONFORMANCE_SERVER,
                   "hang",
                   of.executor,
                   at.server().address,
                   std::to_string(calls)});
    other.read_after("out");
    BOOST_REQUIRE(eventually([&] { return at.server().count("gate_reached") == calls; }));
    other.signal(SIGKILL);
    BOOST_TEST(other.wait().value_or(-1) == 128 + SIGKILL);
  } else {
    node other({.name = "leaving",
                .connect = {at.server().address},
                .executor = of.executor,
                .loops = loops_for(of.executor)});
    other.start().value();
    std::vector<std::future<result<said>>> out;
    const client probes(other, {.topic = "probe"});
    for (long i = 0; i < calls; ++i) {
      out.push_back(probes.future_call<said>("wait_at_gate"));
    }
    BOOST_REQUIRE(eventually([&] { return at.server().count("gate_reached") == calls; }));
    BOOST_TEST(other.stop(0ms));
    for (auto& each : out) {
      const auto got = each.get();
      BOOST_REQUIRE(!got);
      BOOST_TEST(code_of(got) == "cancelled");
      BOOST_TEST(to_string(got.error().execution()) == to_string(execution::may_have_run));
    }
  }
  // Its handlers end, and others are served.
  BOOST_TEST(at.probes().call<int>("open_gate").value() == calls);
  BOOST_TEST(eventually([&] { return at.server().count("gate_passed") == calls; }));
  at.check_ran("gate_passed", calls);
  at.check_thread(at.probes().call<said>("plain", "x").value());
}

void drains_what_runs_and_refuses_what_waits(const combination& of) {
  stage at(of);
  const auto probes = at.probes();
  const auto alone = at.alone();
  std::vector<std::future<result<said>>> running;
  std::vector<std::future<result<int>>> waiting;
  for (int i = 0; i < 100; ++i) {
    running.push_back(probes.future_call<said>("nap", 300));
  }
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(alone.future_call<int>("nap", 300));
  }
  // Behind them on the same link: when this is answered, they have arrived.
  at.check_thread(probes.call<said>("plain", "x").value());
  BOOST_REQUIRE(eventually([&] {
    return at.server().count("nap_started") == 100 && at.server().count("hermit_started") >= 1;
  }));
  BOOST_TEST(at.server().stop(5s));
  for (auto& each : running) {
    const auto got = each.get();
    BOOST_REQUIRE_MESSAGE(got, why(got));
    at.check_thread(*got);
  }
  std::size_t answered = 0;
  for (auto& each : waiting) {
    if (const auto got = each.get()) {
      ++answered;
    } else {
      BOOST_TEST(code_of(got) == "stopping", why(got));
      BOOST_TEST(to_string(got.error().execution()) == to_string(execution::not_run));
    }
  }
  at.check_ran("hermit_started", static_cast<long>(answered));
  BOOST_TEST(answered < waiting.size());
  at.check_ran("nap_ended", 100);
}

void cancels_what_outstays_the_drain(const combination& of) {
  stage at(of);
  auto never = at.probes().future_call<said>("never");
  auto gate = at.probes().future_call<said>("wait_at_gate");
  BOOST_REQUIRE(eventually([&] {
    return at.server().count("never_started") == 1 && at.server().count("gate_reached") == 1;
  }));
  BOOST_TEST(!at.server().stop(50ms));
  for (auto* each : {&never, &gate}) {
    const auto got = each->get();
    BOOST_REQUIRE(!got);
    BOOST_TEST(code_of(got) == "cancelled", why(got));
    BOOST_TEST(to_string(got.error().execution()) == to_string(execution::ran_and_failed));
  }
  at.check_ran("never_started", 1);
  at.check_ran("gate_reached", 1);
  at.check_ran("gate_passed", 0);
}

void serves_again_after_a_stop(const combination& of) {
  stage at(of);
  for (long round = 1; round <= 5; ++round) {
    at.check_thread(at.probes().call<said>("plain", "x").value());
    at.check_ran("plain", round);
    BOOST_TEST(at.server().stop());
    const auto gone = at.probes().call<said>("plain", "x");
    BOOST_REQUIRE(!gone);
    BOOST_TEST((gone.error() == errc::no_server || gone.error() == errc::lost), why(gone));
    at.server().start();
    at.call_anew();
  }
  // And the caller, too, can be started again.
  BOOST_TEST(at.caller->stop());
  BOOST_TEST(at.caller->start().has_value());
  at.check_thread(at.probes().call<said>("plain", "x").value());
}

}  // namespace mailroom::tests
