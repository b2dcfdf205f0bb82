#include <mailroom/tests/support/eventually.hpp>
#include <mailroom/tests/support/process.hpp>
#include <mailroom/tests/tools/mailroom/program.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

namespace mailroom::tests::verbs_test {
using mailroom::tests::has;
using mailroom::tests::outcome;
using mailroom::tests::run;
using mailroom::tests::server;

namespace {

// One for all cases that only ask.
struct with_server {
  static server& running() {
    static server one;
    return one;
  }
  with_server() : address(running().address()) { BOOST_REQUIRE(!address.empty()); }

  outcome call(std::vector<std::string> more) const {
    more.insert(more.begin(), {"call", "--connect", address, "--topic", "echo"});
    return run(more);
  }

  std::string address;
};

struct echo_service {
  explicit echo_service(std::vector<std::string> flags)
      : runs([&] {
          flags.insert(flags.begin(), MAILROOM_ECHO);
          return flags;
        }()),
        address(runs.read_after("ready ")) {}

  mailroom::tests::process runs;
  std::string address;
};

struct sleeper {
  static std::atomic<bool> asleep;
  task<void> sleep(context& ctx) {
    asleep = true;
    co_await ctx.sleep(std::chrono::hours(1));
  }
};
std::atomic<bool> sleeper::asleep{false};

void fails(const outcome& got, const std::string& saying) {
  BOOST_TEST(got.code == 1);
  BOOST_TEST(got.out.empty(), got.out);
  BOOST_TEST(got.is_one_line_of_error(), got.err);
  BOOST_TEST(has(got.err, saying), got.err);
}

void prints(const outcome& got, const std::string& out) {
  BOOST_TEST(got.code == 0);
  BOOST_TEST(got.out == out);
  BOOST_TEST(got.err.empty(), got.err);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(command_verbs, with_server)

BOOST_AUTO_TEST_CASE(call_prints_the_result_as_json) {
  prints(call({"echo", R"(["hello"])"}), "\"hello\"\n");
  prints(call({"echo", R"([{"a":[1,-2,3.5,null,true,"x"]}])"}),
         "{\"a\":[1,-2,3.5,null,true,\"x\"]}\n");
  prints(call({"--json", "echo", R"([{"$bytes":"aGk="}])"}), "{\"$bytes\":\"aGk=\"}\n");
  prints(call({"--timeout", "2s", "--version", "1.0", "received"}), "0\n");
}

BOOST_AUTO_TEST_CASE(call_reaches_handlers_of_every_style) {
  for (const char* method : {"echo", "echo_coroutine", "echo_suspending"}) {
    prints(call({method, R"(["hello"])"}), "\"hello\"\n");
  }
}

BOOST_AUTO_TEST_CASE(call_says_in_one_line_what_went_wrong) {
  fails(call({"ecco", R"(["hello"])"}), "mailroom call: no_such_method: ");
  fails(call({"echo", "[]"}), "mailroom call: invalid_arguments: ");
  fails(call({"echo", R"([1, 2])"}), "mailroom call: invalid_arguments: ");
  fails(call({"--version", "2.0", "echo", "[1]"}), "mailroom call: unsupported_version: ");
  fails(call({"--namespace", "other", "echo", "[1]"}), "mailroom call: no_such_namespace: ");
  fails(call({"--server", "nobody", "echo", "[1]"}), "mailroom call: no_server: ");
  fails(call({"--exchange", "other", "echo", "[1]"}), "mailroom call: no_server: ");
  fails(run({"call", "--connect", address, "--topic", "nothing", "echo"}),
        "mailroom call: no_server: ");
}

BOOST_AUTO_TEST_CASE(nobody_at_the_address_is_a_failure) {
  server gone;
  const std::string there = gone.address();
  gone.terminate();
  fails(run({"call", "--connect", there, "--topic", "echo", "echo", "[1]"}), "mailroom call: ");
  fails(run({"cast", "--connect", there, "--topic", "echo", "sink", "[1]"}), "mailroom cast: ");
  fails(run({"ping", "--connect", there}), "mailroom ping: ");
  fails(run({"describe", "--connect", there}), "mailroom describe: ");
  fails(run({"executor", "ls", "--connect", there}), "mailroom executor ls: ");
  fails(run({"bench", "call", "--connect", there, "--seconds", "0.1"}), "mailroom bench call: ");
}

BOOST_AUTO_TEST_CASE(cast_arrives_and_prints_nothing) {
  const server own;
  prints(run({"cast", "--connect", own.address(), "--topic", "echo", "sink", "[1]"}), "");
  prints(run({"cast", "--connect", own.address(), "--topic", "echo", "--fanout", "sink", "[2]"}),
         "");
  prints(run({"cast", "--connect", own.address(), "--topic", "echo", "--json", "sink", "[3]"}),
         "{\"accepted\":true}\n");
  prints(run({"call", "--connect", own.address(), "--topic", "echo", "received"}), "3\n");
  fails(run({"cast", "--connect", own.address(), "--topic", "nothing", "sink", "[1]"}),
        "no_server");
}

BOOST_AUTO_TEST_CASE(ping_tells_round_trips) {
  const outcome told = run({"ping", "--connect", address, "--count", "2", "--interval", "1ms"});
  BOOST_TEST(told.code == 0);
  BOOST_TEST(has(told.out, address + ": "), told.out);
  BOOST_TEST(has(told.out, " us\n"), told.out);
  const outcome json =
      run({"ping", "--connect", address, "--count", "3", "--interval", "0", "--json"});
  const auto parsed = nlohmann::json::parse(json.out);
  BOOST_TEST(parsed.at("sent") == 3);
  BOOST_TEST(parsed.at("answered") == 3);
  BOOST_TEST(parsed.at("min_us").get<double>() > 0);
  BOOST_TEST(parsed.at("max_us").get<double>() >= parsed.at("min_us").get<double>());
}

BOOST_AUTO_TEST_CASE(ping_asks_all_that_a_node_knows) {
  const echo_service knows({"--name=knows", "--connect=" + address});
  const std::vector<std::string> ask{"ping", "--all", "--connect", knows.address};
  const outcome told = run(ask);
  BOOST_TEST(told.code == 0, told.err);
  for (const std::string& part : {std::string("NODE"), std::string("knows"), address}) {
    BOOST_TEST(has(told.out, part), told.out);
  }
  auto as_json = ask;
  as_json.emplace_back("--json");
  const auto parsed = nlohmann::json::parse(run(as_json).out);
  BOOST_REQUIRE(parsed.size() == 2U);
  BOOST_TEST(parsed[0].at("node") == "knows");
  BOOST_TEST(parsed[1].at("address") == address);
  BOOST_TEST(parsed[1].at("us").get<double>() > 0);
}

BOOST_AUTO_TEST_CASE(ping_says_which_did_not_answer) {
  server gone;
  const echo_service knows({"--name=knows", "--connect=" + gone.address()});
  gone.terminate();
  const outcome told = run({"ping", "--all", "--connect", knows.address});
  BOOST_TEST(told.code == 1);
  BOOST_TEST(has(told.out, gone.address()), told.out);
  BOOST_TEST(has(told.out, "refused"), told.out);
  BOOST_TEST(told.err == "mailroom ping: 1 of 2 nodes did not answer\n");
}

BOOST_AUTO_TEST_CASE(drain_ends_a_node) {
  echo_service one({"--name=one"});
  const outcome told = run({"drain", "--connect", one.address});
  BOOST_TEST(told.code == 0, told.err);
  BOOST_TEST(has(told.out, "node one drained in "), told.out);
  BOOST_TEST((one.runs.wait() == 0));
  const echo_service two({"--name=two"});
  const auto parsed = nlohmann::json::parse(run({"drain", "--connect", two.address, "--json"}).out);
  BOOST_TEST(parsed.at("node") == "two");
  fails(run({"drain", "--connect", two.address}), "mailroom drain: ");
}

// It said that the node had drained when its handlers had been cancelled.
BOOST_AUTO_TEST_CASE(drain_says_what_was_cancelled_when_the_limit_of_the_node_had_passed) {
  log::set_level(log::level::off);
  std::promise<void> asked;
  node slow({.name = "slow", .listen = "tcp://127.0.0.1:0", .asked_to_drain = [&] {
               asked.set_value();
             }});
  slow.serve({.topic = "sleeper"}, endpoint<sleeper>().method("sleep", &sleeper::sleep)).value();
  slow.start().value();
  auto call = client(slow, {.topic = "sleeper"}).future_call<void>("sleep");
  BOOST_REQUIRE(eventually([] { return sleeper::asleep.load(); }));
  std::jthread ends([&] {
    asked.get_future().wait();
    static_cast<void>(slow.stop(std::chrono::milliseconds(20)));
  });
  const outcome told = run({"drain", "--connect", slow.address()});
  BOOST_TEST(told.code == 1);
  BOOST_TEST(told.out == "");
  BOOST_TEST(has(told.err, "node slow has ended, but its own limit (node.drain) passed"), told.err);
  BOOST_TEST(has(told.err, "sleeper (1 running) was cancelled"), told.err);
  BOOST_TEST((call.get().error() == errc::cancelled));
}

// It said that the node had drained when it had not waited long enough.
BOOST_AUTO_TEST_CASE(drain_says_when_the_node_is_not_done_in_time) {
  log::set_level(log::level::off);
  node stays({.name = "stays", .listen = "tcp://127.0.0.1:0", .asked_to_drain = [] {}});
  stays.start().value();
  for (int i = 0; i < 3; ++i) {
    fails(run({"drain", "--connect", stays.address(), "--timeout", "200ms"}),
          "mailroom drain: expired: " + stays.address());
  }
}

// It was one time for all.
BOOST_AUTO_TEST_CASE(ping_all_waits_for_each_by_itself) {
  echo_service first({"--name=first"});
  echo_service other({"--name=other"});
  node calls(
      {.name = "calls", .listen = "tcp://127.0.0.1:0", .connect = {first.address, other.address}});
  calls.start().value();
  first.runs.signal(SIGSTOP);
  const outcome told =
      run({"ping", "--all", "--connect", calls.address(), "--timeout", "1s", "--json"});
  first.runs.signal(SIGCONT);
  BOOST_TEST(told.code == 1);
  BOOST_TEST(has(told.err, "1 of 3 nodes did not answer"), told.err);
  for (const auto& each : nlohmann::json::parse(told.out)) {
    BOOST_TEST(each.at("us").is_number() == (each.at("address") != first.address), told.out);
  }
}

// Its program ends it by itself.
BOOST_AUTO_TEST_CASE(drain_says_why_not) {
  fails(run({"drain", "--connect", address}), "mailroom drain: denied: ");
}

BOOST_AUTO_TEST_CASE(describe_shows_topics_and_methods_with_their_style) {
  const outcome told = run({"describe", "--connect", address});
  BOOST_TEST(told.code == 0);
  for (const char* part : {"loop-bound",
                           "INSTANCES",
                           "REFUSED",
                           "DROPPED",
                           "echo (plain)",
                           "echo_coroutine (coroutine)",
                           "echo_suspending (suspending)"}) {
    BOOST_TEST(has(told.out, part), told.out);
  }
  const auto parsed = nlohmann::json::parse(run({"describe", "--connect", address, "--json"}).out);
  BOOST_TEST(parsed.at("executor") == "loop-bound");
  BOOST_REQUIRE(parsed.at("topics").size() == 1U);
  BOOST_TEST(parsed.at("topics")[0].at("topic") == "echo");
  BOOST_TEST(parsed.at("topics")[0].at("version") == "1.0");
  BOOST_TEST(parsed.at("topics")[0].at("methods").size() == 5U);
  for (const char* state :
       {"queued", "running", "started", "answered", "failed", "expired", "refused", "dropped"}) {
    BOOST_TEST(parsed.at("topics")[0].at(state).is_number_unsigned(), state);
  }
  BOOST_TEST(parsed.at("topics")[0].at("queue_policy") == "refuse_newest");
  BOOST_TEST(parsed.at("topics")[0].at("instances") == 1);
}

BOOST_AUTO_TEST_CASE(ledger_accounts_for_every_message) {
  const server own;
  prints(run({"call", "--connect", own.address(), "--topic", "echo", "echo", "[1]"}), "1\n");
  BOOST_TEST(run({"call", "--connect", own.address(), "--topic", "echo", "echo", "[]"}).code == 1);
  prints(run({"cast", "--connect", own.address(), "--topic", "echo", "sink", "[1]"}), "");
  prints(run({"call", "--connect", own.address(), "--topic", "echo", "received"}), "1\n");
  const outcome told = run({"ledger", "--connect", own.address()});
  BOOST_TEST(told.code == 0);
  BOOST_TEST(has(told.out, "DIFFERENCE"), told.out);
  BOOST_TEST(has(told.out, "sent 0, received 4, difference -4"), told.out);
  const outcome both = run({"ledger", "--json", "--connect", own.address(), "--connect", address});
  const auto parsed = nlohmann::json::parse(both.out);
  BOOST_REQUIRE(parsed.at("nodes").size() == 2U);
  const auto& in = parsed.at("nodes")[0].at("in");
  BOOST_TEST(in.at("messages") == 4);
  BOOST_TEST(in.at("handled") == 3);
  BOOST_TEST(in.at("failed") == 1);
  BOOST_TEST(in.at("difference") == 0);
  BOOST_TEST(parsed.at("sum").at("in").at("messages").get<int>() >= 4);
  BOOST_TEST(parsed.at("difference_between").is_number());
  // One that is not there takes nothing from the others.
  const outcome some =
      run({"ledger", "--connect", own.address() + ",tcp://127.0.0.1:1", "--timeout", "200ms"});
  BOOST_TEST(some.code == 1);
  BOOST_TEST(some.is_one_line_of_error(), some.err);
  BOOST_TEST(has(some.err, "1 of 2 nodes did not answer: "), some.err);
  BOOST_TEST(has(some.out, "received 4, difference unknown"), some.out);
  BOOST_TEST(run({"ledger"}).code == 2);
}

BOOST_AUTO_TEST_CASE(executor_ls_shows_threads_and_counters) {
  const outcome told = run({"executor", "ls", "--connect", address});
  BOOST_TEST(told.code == 0);
  BOOST_TEST(has(told.out, "POLICY"), told.out);
  BOOST_TEST(has(told.out, "loop-bound"), told.out);
  const auto parsed =
      nlohmann::json::parse(run({"executor", "ls", "--connect", address, "--json"}).out);
  BOOST_REQUIRE(!parsed.empty());
  BOOST_TEST(parsed[0].at("policy") == "loop-bound");
  BOOST_TEST(parsed[0].at("threads") == 1);
  BOOST_TEST(parsed[0].at("endpoints") == 1);
  BOOST_TEST(parsed[0].at("stuck") == 0);
  BOOST_TEST(parsed[0].at("stuck_turns") == 0);
  for (const auto* figure : {"name",
                             "policy",
                             "threads",
                             "spares",
                             "endpoints",
                             "queued",
                             "queued_calls",
                             "busy_share",
                             "turns",
                             "steals",
                             "parks",
                             "wakeups",
                             "hops",
                             "longest_turn_us",
                             "stuck",
                             "stuck_turns"}) {
    BOOST_TEST(parsed[0].contains(figure), figure);
  }
}

BOOST_AUTO_TEST_CASE(executor_set_moves_a_topic) {
  server own;
  const auto set = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"executor", "set", "--connect", own.address()});
    return run(more);
  };
  prints(set({"--topic", "echo", "cooperative"}), "echo is served by cooperative now\n");
  const auto listed = run({"executor", "ls", "--connect", own.address(), "--json"});
  bool moved = false;
  for (const auto& each : nlohmann::json::parse(listed.out)) {
    moved = moved || (each["name"] == "cooperative" && each["endpoints"] == 1);
  }
  BOOST_TEST(moved, listed.out);
  const auto told = nlohmann::json::parse(set({"--topic", "echo", "--json", "loop-bound"}).out);
  BOOST_TEST(told["executor"] == "loop-bound");
  fails(set({"--topic", "echo", "loopbound"}), "no executor 'loopbound' (nearest: loop-bound)");
  fails(set({"--topic", "eco", "cooperative"}), "no topic 'eco'");
  BOOST_TEST(set({"--topic", "echo"}).code == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::verbs_test
