// What a caller hears when it goes wrong, and whether the handler ran.

#include <mailroom/tests/conformance/cases.hpp>

#include <algorithm>

namespace mailroom::tests {
namespace {

template <class T>
void check_error(const result<T>& got, errc code, execution ran, const std::string& words = {}) {
  BOOST_REQUIRE(!got);
  BOOST_TEST(to_string(got.error().code()) == to_string(code), why(got));
  BOOST_TEST(to_string(got.error().execution()) == to_string(ran), why(got));
  BOOST_TEST(got.error().message().find(words) != std::string_view::npos, why(got));
}

constexpr auto throwers = {"throws", "throws_in_coroutine", "throws_on_fiber"};

}  // namespace

void tells_what_a_handler_threw(const combination& of) {
  stage at(of);
  for (const auto* method : throwers) {
    const auto got = at.probes().call<said>(method, "no bolts");
    check_error(got, errc::handler_failed, execution::ran_and_failed);
    BOOST_TEST(got.error().type() == "std::out_of_range");
    BOOST_TEST(got.error().message() == "no bolts");
  }
  at.check_ran("threw", 3);
  const auto alive = at.probes().call<said>("plain", "alive").value();
  BOOST_TEST(alive.text == "alive");
  at.check_thread(alive);
}

void tells_of_what_is_no_exception(const combination& of) {
  stage at(of);
  for (const auto* method : throwers) {
    const auto got = at.probes().call<said>(method, "int");
    check_error(got, errc::handler_failed, execution::ran_and_failed);
    BOOST_TEST(got.error().type() == "int");
  }
  at.check_ran("threw", 3);
}

void passes_on_a_thrown_call_error(const combination& of) {
  stage at(of);
  for (const auto* method : throwers) {
    check_error(at.probes().call<said>(method, "call_error"),
                errc::denied,
                execution::ran_and_failed,
                "not for you");
  }
  at.check_ran("threw", 3);
}

void gives_up_when_nobody_answers(const combination& of) {
  stage at(of);
  // The best of some: what others do on this machine is not what is measured.
  constexpr duration timeout = 200ms;
  duration late = duration::max();
  long calls = 0;
  for (; calls < 10 && late > 50ms; ++calls) {
    const auto begun = clock::now();
    const auto got = at.probes().prepare({.timeout = timeout}).call<said>("never");
    late = std::min(late, duration(clock::now() - begun - timeout));
    check_error(got, errc::expired, execution::may_have_run);
    BOOST_TEST((late >= 0ms));
  }
  BOOST_TEST((late <= 50ms));
  // One may have been given up before it began.
  const long started = at.server().count("never_started");
  BOOST_TEST((started >= 1 && started <= calls));
  at.check_ran("never_started", started);
}

void does_not_start_what_has_expired(const combination& of) {
  stage at(of);
  auto occupied = at.alone().future_call<int>("nap", 400);
  BOOST_REQUIRE(eventually([&] { return at.server().count("hermit_started") == 1; }));
  const auto got = at.alone().prepare({.timeout = 20ms}).call<int>("nap", 1);
  BOOST_TEST(code_of(got) == "expired");
  BOOST_TEST(occupied.get().value() == 1);
  // One call at a time, in order: when this is answered, the expired one has had its turn.
  BOOST_TEST(at.alone().call<int>("nap", 1).value() == 1);
  at.check_ran("hermit_started", 2);
}

void tells_an_unknown_topic(const combination& of) {
  stage at(of);
  check_error(client(*at.caller, {.topic = "nobody"}).call<int>("add", 1, 2),
              errc::no_server,
              execution::not_run,
              "nobody");
  check_error(
      client(*at.caller, {.exchange = "elsewhere", .topic = "probe"}).call<int>("add", 1, 2),
      errc::no_server,
      execution::not_run,
      "elsewhere");
  at.check_ran("added", 0);
}

void tells_an_unknown_method(const combination& of) {
  stage at(of);
  check_error(at.probes().call<said>("plai", "x"),
              errc::no_such_method,
              execution::not_run,
              "nearest: plain");
  check_error(at.probes().call<said>("_plain", "x"), errc::no_such_method, execution::not_run);
  check_error(at.probes().call<said>("", "x"), errc::no_such_method, execution::not_run);
  at.check_ran("plain", 0);
}

void tells_an_unknown_namespace(const combination& of) {
  stage at(of);
  check_error(at.probes().prepare({.name_space = "third"}).call<said>("plain", "x"),
              errc::no_such_namespace,
              execution::not_run,
              "third");
  at.check_ran("plain", 0);
}

void tells_an_unsupported_version(const combination& of) {
  stage at(of);
  for (const auto* version : {"1.5", "2.0", "0.4"}) {
    check_error(at.probes().prepare({.version = version}).call<said>("plain", "x"),
                errc::unsupported_version,
                execution::not_run,
                version);
  }
  at.check_ran("plain", 0);
  for (const auto* version : {"", "1.0", "1.4"}) {
    at.check_thread(at.probes().prepare({.version = version}).call<said>("plain", "x").value());
  }
  check_error(at.probes().prepare({.version = "newest"}).call<said>("plain", "x"),
              errc::invalid_target,
              execution::not_run);
  at.check_ran("plain", 3);
}

void tells_wrong_arguments(const combination& of) {
  stage at(of);
  check_error(
      at.probes().call<int>("add", 1), errc::invalid_arguments, execution::not_run, "probe.add");
  check_error(at.probes().call<int>("add", 1, 2, 3), errc::invalid_arguments, execution::not_run);
  check_error(at.probes().call<int>("add", 1, "two"), errc::invalid_arguments, execution::not_run);
  check_error(
      at.probes().call<int>("add", 1, 5'000'000'000), errc::invalid_arguments, execution::not_run);
  check_error(at.probes().call<said>("coroutine", 1), errc::invalid_arguments, execution::not_run);
  check_error(at.probes().call<said>("suspending"), errc::invalid_arguments, execution::not_run);
  for (const auto* each : {"added", "coroutine", "suspending"}) {
    at.check_ran(each, 0);
  }
  check_error(at.probes().call<int>("plain", "no int"), errc::bad_reply, execution::ran_and_failed);
  at.check_ran("plain", 1);
  BOOST_TEST(at.probes().call<int>("add", 1, 2).value() == 3);
  at.check_ran("added", 1);
}

void serves_namespaces_apart(const combination& of) {
  stage at(of);
  const auto second = at.probes().prepare({.name_space = "second", .version = "2.1"});
  const auto got = second.call<said>("plain", "there");
  BOOST_REQUIRE_MESSAGE(got, why(got));
  at.check_thread(*got);
  check_error(second.call<int>("add", 1, 2), errc::no_such_method, execution::not_run);
  at.check_ran("added", 0);
}

}  // namespace mailroom::tests
