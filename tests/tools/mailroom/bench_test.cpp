#include <mailroom/tests/support/process.hpp>
#include <mailroom/tests/tools/mailroom/program.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <signal.h>

#include <utility>

namespace mailroom::tests::bench_test {
using mailroom::tests::outcome;
using mailroom::tests::run;
using mailroom::tests::server;

namespace {

nlohmann::json measured(const outcome& got) {
  BOOST_TEST(got.code == 0);
  BOOST_TEST(got.err.empty(), got.err);
  auto parsed = nlohmann::json::parse(got.out, nullptr, false);
  BOOST_REQUIRE_MESSAGE(parsed.is_object(), got.out);
  BOOST_TEST(parsed.at("errors") == 0);
  return parsed;
}

void is_complete(const nlohmann::json& figures) {
  for (const char* key : {"calls", "calls_per_s", "p50_us", "p99_us", "p999_us"}) {
    BOOST_TEST(figures.at(key).get<double>() > 0, key);
  }
  BOOST_TEST(figures.at("p50_us").get<double>() <= figures.at("p99_us").get<double>());
  BOOST_TEST(figures.at("p99_us").get<double>() <= figures.at("p999_us").get<double>());
  BOOST_TEST(figures.at("client_cpu_s_per_100k").is_number());
  BOOST_TEST(figures.at("server_cpu_s_per_100k").is_number());
}

const std::vector<std::string> executors{"cooperative", "work-stealing", "loop-bound"};

}  // namespace

BOOST_AUTO_TEST_SUITE(command_bench)

BOOST_AUTO_TEST_CASE(serves_until_it_is_told_to_end) {
  for (const auto& each : executors) {
    server one(each);
    BOOST_TEST(one.address().rfind("tcp://127.0.0.1:", 0) == 0U, one.address());
    BOOST_TEST(one.address() != "tcp://127.0.0.1:0");
    BOOST_TEST(one.terminate() == 0);
  }
}

BOOST_AUTO_TEST_CASE(call_measures_every_style_on_every_executor) {
  for (const auto& each : executors) {
    const server one(each);
    for (const char* method : {"echo", "echo_coroutine", "echo_suspending"}) {
      is_complete(measured(run({"bench",
                                "call",
                                "--connect",
                                one.address(),
                                "--method",
                                method,
                                "--in-flight",
                                "20",
                                "--seconds",
                                "0.4",
                                "--json"})));
    }
  }
}

BOOST_AUTO_TEST_CASE(call_runs_on_every_executor) {
  const server one;
  for (const auto& each : executors) {
    is_complete(measured(run({"bench",
                              "call",
                              "--connect",
                              one.address(),
                              "--executor",
                              each,
                              "--in-flight",
                              "20",
                              "--seconds",
                              "0.4",
                              "--json"})));
  }
}

BOOST_AUTO_TEST_CASE(call_takes_payloads_of_any_size) {
  const server one;
  for (const char* size : {"0", "1", "100", "64KiB", "1MiB"}) {
    is_complete(measured(run({"bench",
                              "call",
                              "--connect",
                              one.address(),
                              "--payload",
                              size,
                              "--in-flight",
                              "4",
                              "--seconds",
                              "0.4",
                              "--json"})));
  }
}

BOOST_AUTO_TEST_CASE(call_keeps_to_a_rate) {
  const server one;
  const auto figures = measured(run({"bench",
                                     "call",
                                     "--connect",
                                     one.address(),
                                     "--rate",
                                     "500",
                                     "--in-flight",
                                     "64",
                                     "--seconds",
                                     "1",
                                     "--json"}));
  is_complete(figures);
  // A machine with other things to do may be late with some, never early.
  BOOST_TEST(figures.at("calls").get<int>() <= 600);
  BOOST_TEST(figures.at("calls").get<int>() >= 100);
}

BOOST_AUTO_TEST_CASE(a_method_that_does_not_echo_is_a_failure) {
  const server one;
  const outcome got = run({"bench",
                           "call",
                           "--connect",
                           one.address(),
                           "--method",
                           "sink",
                           "--seconds",
                           "0.4",
                           "--json"});
  BOOST_TEST(got.code == 1);
  BOOST_TEST(got.is_one_line_of_error(), got.err);
}

BOOST_AUTO_TEST_CASE(cast_counts_at_the_server) {
  for (const auto& each : executors) {
    const server one(each);
    const auto figures = measured(run({"bench",
                                       "cast",
                                       "--connect",
                                       one.address(),
                                       "--in-flight",
                                       "1000",
                                       "--seconds",
                                       "0.4",
                                       "--json"}));
    for (const char* key : {"calls", "calls_per_s"}) {
      BOOST_TEST(figures.at(key).get<double>() > 0, key);
    }
    for (const char* key : {"p50_us", "p99_us", "p999_us"}) {
      BOOST_TEST(figures.at(key).get<double>() > 0, key);
    }
    BOOST_TEST(figures.at("client_cpu_s_per_100k").is_number());
    BOOST_TEST(figures.at("server_cpu_s_per_100k").is_number());
    BOOST_TEST(!figures.contains("casts"));
    BOOST_TEST(figures.at("received_per_s").get<double>() > 0);
  }
}

BOOST_AUTO_TEST_CASE(cast_keeps_to_a_rate) {
  const server one;
  const auto figures = measured(run({"bench",
                                     "cast",
                                     "--connect",
                                     one.address(),
                                     "--rate",
                                     "500",
                                     "--in-flight",
                                     "64",
                                     "--seconds",
                                     "1",
                                     "--json"}));
  BOOST_TEST(figures.at("calls").get<int>() <= 600);
  BOOST_TEST(figures.at("calls").get<int>() >= 100);
  BOOST_TEST(figures.at("received_per_s").get<double>() > 0);
}

BOOST_AUTO_TEST_CASE(having_measured_nothing_is_a_failure) {
  const server one;
  for (const char* verb : {"call", "cast"}) {
    const outcome got = run({"bench",
                             verb,
                             "--connect",
                             one.address(),
                             "--rate",
                             "0.001",
                             "--in-flight",
                             "1",
                             "--seconds",
                             "0.1",
                             "--json"});
    BOOST_TEST(got.code == 1);
    BOOST_TEST(got.out.empty(), got.out);
    BOOST_TEST(got.is_one_line_of_error(), got.err);
  }
  const outcome got = run({"bench", "local", "--rate", "0.001", "--seconds", "0.1"});
  BOOST_TEST(got.code == 1);
  BOOST_TEST(got.err.find("mailroom bench local: 0 calls measured") == 0U, got.err);
}

BOOST_AUTO_TEST_CASE(casts_that_no_handler_takes_are_a_failure_that_names_the_method) {
  const server one;
  const outcome got = run({"bench",
                           "cast",
                           "--connect",
                           one.address(),
                           "--method",
                           "nope",
                           "--in-flight",
                           "100",
                           "--seconds",
                           "0.1"});
  BOOST_TEST(got.code == 1);
  BOOST_TEST(got.out.empty(), got.out);
  BOOST_TEST(
      got.err.find("method 'nope', no server's handler has received any") != std::string::npos,
      got.err);
}

BOOST_AUTO_TEST_CASE(the_baseline_serves_and_is_measured) {
  const server echo(std::vector<std::string>{"bench", "raw-serve"});
  is_complete(measured(
      run({"bench", "raw-call", "--connect", echo.address(), "--seconds", "0.4", "--json"})));
  const server sink(std::vector<std::string>{"bench", "raw-sink"});
  const auto figures = measured(
      run({"bench", "raw-cast", "--connect", sink.address(), "--seconds", "0.4", "--json"}));
  BOOST_TEST(figures.at("received_per_s").get<double>() > 0);
}

BOOST_AUTO_TEST_CASE(servers_tell_programs_where_they_listen) {
  for (const char* verb : {"serve", "raw-serve", "raw-sink"}) {
    mailroom::tests::process one({MAILROOM_COMMAND, "bench", verb, "--json"});
    const auto told = nlohmann::json::parse(one.read_line().value_or(""), nullptr, false);
    BOOST_REQUIRE_MESSAGE(told.is_object(), verb);
    BOOST_TEST(told.at("ready").get<std::string>().starts_with("tcp://127.0.0.1:"));
    one.signal(SIGTERM);
    BOOST_TEST(one.wait().value_or(-1) == 0);
  }
}

BOOST_AUTO_TEST_CASE(local_needs_no_other_process) {
  for (const auto& each : executors) {
    is_complete(measured(run({"bench",
                              "local",
                              "--executor",
                              each,
                              "--in-flight",
                              "100",
                              "--seconds",
                              "0.4",
                              "--json"})));
  }
}

BOOST_AUTO_TEST_CASE(figures_are_shown_to_people_too) {
  const outcome got = run({"bench", "local", "--seconds", "0.4"});
  BOOST_TEST(got.code == 0);
  BOOST_TEST(got.out.find("calls_per_s") != std::string::npos, got.out);
}

BOOST_AUTO_TEST_CASE(compare_gives_medians_and_ratios) {
  const outcome got = run({"bench",
                           "compare",
                           "--rounds",
                           "1",
                           "--seconds",
                           "0.4",
                           "--cases",
                           "calls-32,casts",
                           "--json"});
  BOOST_REQUIRE_MESSAGE(got.code == 0, got.err);
  const auto parsed = nlohmann::json::parse(got.out);
  BOOST_TEST(parsed.at("cases").size() == 2U);
  const auto& rate = parsed.at("cases").at("calls-32").at("figures").at("calls_per_s");
  for (const char* who : {"raw", "loop-bound", "work-stealing", "cooperative"}) {
    BOOST_TEST(rate.at(who).at("median").get<double>() > 0, who);
    BOOST_TEST(rate.at(who).at("ratio").get<double>() > 0, who);
  }
  BOOST_TEST(rate.at("raw").at("ratio").get<double>() == 1.0);
}

// The bench endpoint is an endpoint like every other: who serves the same elsewhere is measured the
// same way, and beside it.
BOOST_AUTO_TEST_CASE(compare_sets_a_service_beside_the_bench_endpoint) {
  const std::string contender = "mailroom-echo loop-bound";
  const auto compare = [](const std::string& cases, const std::string& seconds, bool as_json) {
    std::vector<std::string> words{"bench",
                                   "compare",
                                   "--rounds",
                                   "1",
                                   "--executors",
                                   "loop-bound",
                                   "--service",
                                   MAILROOM_ECHO,
                                   "--cases",
                                   cases,
                                   "--seconds",
                                   seconds};
    if (as_json) {
      words.emplace_back("--json");
    }
    return run(words);
  };
  const outcome got = compare("calls-32,latency-one-cpu,casts", "0.4", true);
  BOOST_REQUIRE_MESSAGE(got.code == 0, got.err);
  const auto cases = nlohmann::json::parse(got.out).at("cases");
  for (const auto& [name, figure] :
       {std::pair("calls-32", "calls_per_s"), std::pair("latency-one-cpu", "p50_us")}) {
    const auto& told = cases.at(name).at("figures").at(figure).at(contender);
    BOOST_TEST(told.at("median").get<double>() > 0);
    BOOST_TEST(told.at("ratio").get<double>() > 0);
    BOOST_TEST(told.at("ratio_to_bench").get<double>() > 0);
  }
  // What counts casts is not asked of it.
  BOOST_TEST(!cases.at("casts").at("figures").at("received_per_s").contains(contender));
  const outcome table = compare("calls-32", "0.1", false);
  BOOST_TEST(table.code == 0);
  BOOST_TEST(table.out.find("x BENCH") != std::string::npos, table.out);
  BOOST_TEST(table.out.find(contender) != std::string::npos, table.out);
}

BOOST_AUTO_TEST_CASE(compare_fails_for_a_service_that_is_none) {
  for (const auto& [program, code] :
       {std::pair("/no/such/service", 2), std::pair("/bin/false", 1)}) {
    const outcome got = run({"bench",
                             "compare",
                             "--rounds",
                             "1",
                             "--seconds",
                             "0.05",
                             "--cases",
                             "calls-32",
                             "--executors",
                             "cooperative",
                             "--service",
                             program});
    BOOST_TEST(got.code == code);
    BOOST_TEST(got.out.empty(), got.out);
    BOOST_TEST(got.err.find("mailroom bench compare: ") != std::string::npos, got.err);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::bench_test
