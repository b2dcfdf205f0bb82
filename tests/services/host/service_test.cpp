#include <mailroom/tests/support/process.hpp>

#include <boost/test/unit_test.hpp>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using mailroom::tests::process;

struct outcome {
  int code = -1;
  std::string out;
  std::string errors;
};

// Runs the service with these words until it ends by itself.
outcome run(const std::vector<std::string>& words) {
  std::vector<std::string> command{MAILROOM_SERVICE};
  command.insert(command.end(), words.begin(), words.end());
  process service(command);
  outcome seen;
  while (const auto line = service.read_line()) {
    seen.out += *line + "\n";
  }
  seen.code = service.wait().value_or(-1);
  seen.errors = service.errors();
  return seen;
}

// A folder with a configuration file.
struct configured {
  configured() {
    folder = (std::filesystem::temp_directory_path() / "mailroom-service-XXXXXX").string();
    BOOST_TEST_REQUIRE(::mkdtemp(folder.data()) != nullptr);
    file = folder + "/service.toml";
  }
  ~configured() { std::filesystem::remove_all(folder); }
  configured(const configured&) = delete;
  configured& operator=(const configured&) = delete;

  std::string refusal_of(const std::string& text) const {
    std::ofstream(file) << text;
    const auto seen = run({"--config", file});
    BOOST_TEST(seen.code == 2);
    return seen.errors;
  }

  std::string folder;
  std::string file;
};

void check_says(const std::string& text, const std::vector<std::string>& words) {
  for (const auto& each : words) {
    BOOST_TEST(text.find(each) != std::string::npos, "'" << each << "' is missing in: " << text);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(run_service)

BOOST_AUTO_TEST_CASE(refuses_a_wrong_flag_with_the_nearest_name) {
  const auto seen = run({"--lisen", "tcp://127.0.0.1:0"});
  BOOST_TEST(seen.code == 2);
  check_says(seen.errors, {"lisen", "listen"});
  BOOST_TEST(seen.out.empty());
  check_says(run({"--lisen"}).errors, {"lisen", "listen"});  // Not for want of a value.
}

BOOST_AUTO_TEST_CASE(refuses_words_and_flags_without_a_value) {
  BOOST_TEST(run({"listen"}).code == 2);
  BOOST_TEST(run({"--listen"}).code == 2);
  const auto seen = run({"--workers", "many"});
  BOOST_TEST(seen.code == 2);
  check_says(seen.errors, {"workers", "many"});
}

BOOST_AUTO_TEST_CASE(shows_its_flags) {
  const auto seen = run({"--help"});
  BOOST_TEST(seen.code == 0);
  check_says(seen.out,
             {"greets",
              "Example",
              "--listen",
              "--executor",
              "--watchdog",
              "cooperative",
              "work-stealing",
              "loop-bound"});
}

BOOST_AUTO_TEST_CASE(shows_each_value_with_its_origin) {
  const auto seen = run({"--executor", "cooperative", "--print-config"});
  BOOST_TEST(seen.code == 0);
  check_says(seen.out, {"executor", "cooperative", "listen", "default"});
}

BOOST_AUTO_TEST_CASE(shows_values_that_it_would_not_start_with_and_says_so) {
  const auto seen = run({"--executor", "eventlet", "--print-config"});
  BOOST_TEST(seen.code == 2);
  check_says(seen.out, {"executor", "eventlet"});
  check_says(seen.errors, {"eventlet", "cooperative", "work-stealing", "loop-bound"});
}

BOOST_AUTO_TEST_CASE(refuses_a_label_that_is_too_long) {
  const auto seen = run({"--labels-zone", std::string(5000, 'a')});
  BOOST_TEST(seen.code == 2);
  check_says(seen.errors, {"--labels-zone", "labels.zone", "4096", "5000"});
}

BOOST_AUTO_TEST_CASE(refuses_an_unknown_executor_and_names_the_known) {
  const auto seen = run({"--executor", "eventlet"});
  BOOST_TEST(seen.code == 2);
  check_says(seen.errors, {"eventlet", "cooperative", "work-stealing", "loop-bound"});
}

BOOST_AUTO_TEST_CASE(tells_where_an_unknown_executor_was_named) {
  const configured with;
  const auto refusal_of = [&](const std::string& text) { return with.refusal_of(text); };
  const std::string& here = with.file;
  check_says(
      refusal_of("[node]\nexecutor = \"havy\"\n[executors.heavy]\npolicy = \"cooperative\"\n"),
      {here + ":2", "no executor 'havy' (nearest: heavy)"});
  check_says(refusal_of("[placement]\ngreeter = \"loopbound\"\n"),
             {here + ":2", "no executor 'loopbound' (nearest: loop-bound)"});
  const auto seen = run({"--place", "greeter=coop"});
  BOOST_TEST(seen.code == 2);
  check_says(seen.errors, {"--place", "no executor 'coop'"});
}

BOOST_AUTO_TEST_CASE(tells_where_a_value_that_cannot_be_was_given) {
  const configured with;
  const auto check = [&](const std::string& text, const std::string& why) {
    check_says(with.refusal_of(text), {with.file + ":2", why});
  };
  check("[node]\nheartbeat = \"1ms\"\n", "from 10ms to 1h");
  check("[node]\nwatchdog = \"1ms\"\n", "from 10ms to 1h");
  check("[node]\nmax_body = 3\n", "from 256 bytes to 1 GiB");
  check("[node]\nlisten = \"\"\n", "write tcp://HOST:PORT, ipc://PATH or local://NAME");
  check("[node]\nlisten = \"local://\"\n", "local://NAME");
  check("[node]\nconnect = [\"tcp://:5\"]\n", "tcp://");
  check("[node]\nconnect = [\"tcp://*:7001\"]\n", "not to connect to");
  check("[node]\nconnect = [\"tcp://::1:7001\"]\n", "brackets");
  check("[executors.loop-bound]\npolicy = \"cooperative\"\n", "which is a policy");
  check("[node]\nname = \"" + std::string(5000, 'n') + "\"\n", "at most 4096 bytes");
}

BOOST_AUTO_TEST_CASE(tells_of_a_topic_that_was_placed_and_is_not_served) {
  process service({MAILROOM_SERVICE, "--place", "greetr=cooperative"});
  service.read_after("ready ");
  service.signal(SIGTERM);
  BOOST_TEST(service.wait().value_or(-1) == 0);
  check_says(service.errors(),
             {"placement_without_endpoint", "topic=greetr", "nearest=greeter", "served=greeter"});
}

BOOST_AUTO_TEST_CASE(tells_of_a_topic_that_was_configured_and_is_not_served) {
  process service({MAILROOM_SERVICE, "--queue-limit", "greetr=10", "--queue-limit", "greeter=10"});
  service.read_after("ready ");
  service.signal(SIGTERM);
  BOOST_TEST(service.wait().value_or(-1) == 0);
  const auto told = service.errors();
  check_says(told,
             {"settings_without_endpoint", "topic=greetr", "nearest=greeter", "served=greeter"});
  BOOST_TEST(told.find("topic=greeter") == std::string::npos, told);
}

BOOST_AUTO_TEST_CASE(refuses_an_address_that_is_none) {
  for (const auto* address :
       {"nonsense", "http://127.0.0.1:80", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", ""}) {
    const auto seen = run({"--listen", address});
    BOOST_TEST(seen.code == 2, address << " gave " << seen.code << ": " << seen.errors);
    check_says(seen.errors, {address});
  }
}

BOOST_AUTO_TEST_CASE(fails_when_its_address_is_in_use) {
  process first({MAILROOM_SERVICE});
  const auto address = first.read_after("ready ");
  const auto seen = run({"--listen", address});
  BOOST_TEST(seen.code == 1);
  check_says(seen.errors, {address});
}

BOOST_AUTO_TEST_CASE(ends_well_when_told_to) {
  for (const auto* executor : {"cooperative", "work-stealing", "loop-bound"}) {
    for (const int number : {SIGTERM, SIGINT}) {
      process service({MAILROOM_SERVICE, "--executor", executor});
      BOOST_TEST(service.read_after("ready ").starts_with("tcp://127.0.0.1:"));
      service.signal(SIGHUP);  // Not an end.
      service.signal(number);
      BOOST_TEST(service.wait().value_or(-1) == 0);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
