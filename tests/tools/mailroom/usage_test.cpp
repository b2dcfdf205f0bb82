#include <mailroom/tests/tools/mailroom/program.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>

namespace mailroom::tests::usage_test {
using mailroom::tests::has;
using mailroom::tests::outcome;
using mailroom::tests::run;
using mailroom::tests::run_on_full_disk;

namespace {

// Nobody listens there: what is wrong must be found before anything is connected.
const std::string nowhere = "tcp://127.0.0.1:9";

void is_wrong_usage(const outcome& got, const std::string& saying) {
  BOOST_TEST(got.code == 2);
  BOOST_TEST(got.out.empty());
  BOOST_TEST(got.is_one_line_of_error(), got.err);
  BOOST_TEST(has(got.err, saying), got.err);
}

const std::string subcommands = "\nSubcommands:\n";

std::string joined(const std::vector<std::string>& words) {
  std::string line = "mailroom";
  for (const auto& each : words) {
    line += ' ' + each;
  }
  return line;
}

// The commands that the help of `group` lists, and those below them.
std::vector<std::vector<std::string>> all_below(const std::vector<std::string>& group) {
  auto asked = group;
  asked.emplace_back("--help");
  std::istringstream help(run(asked).out);
  std::vector<std::vector<std::string>> all;
  bool listing = false;
  for (std::string line; std::getline(help, line);) {
    if (line == "Subcommands:") {
      listing = true;
    } else if (listing && line.starts_with("  ") && line.size() > 2 && line[2] != ' ') {
      auto words = group;
      words.push_back(line.substr(2, line.find(' ', 2) - 2));
      const auto below = all_below(words);
      all.push_back(std::move(words));
      all.insert(all.end(), below.begin(), below.end());
    } else {
      listing = false;
    }
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command_usage)

BOOST_AUTO_TEST_CASE(an_unknown_verb_names_the_nearest) {
  is_wrong_usage(run({"cal"}), "mailroom: unknown command 'cal', nearest is call");
  is_wrong_usage(run({"pingg", "--connect", "tcp://127.0.0.1:1"}),
                 "mailroom: unknown command 'pingg', nearest is ping");
}

BOOST_AUTO_TEST_CASE(no_verb_is_wrong) {
  is_wrong_usage(run({}), "mailroom: ");
  is_wrong_usage(run({"bench"}), "mailroom bench: ");
}

BOOST_AUTO_TEST_CASE(a_priority_that_there_is_not_is_wrong) {
  for (const auto* verb : {"call", "cast"}) {
    is_wrong_usage(run({verb, "--connect", nowhere, "--topic", "echo", "--priority", "8", "echo"}),
                   "8");
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_flag_names_the_nearest) {
  is_wrong_usage(run({"call", "--connect", nowhere, "--topik", "echo", "echo"}),
                 "mailroom call: unknown flag --topik, nearest is --topic");
  is_wrong_usage(run({"call", "--conect=" + nowhere, "--topic", "echo", "echo"}),
                 "unknown flag --conect, nearest is --connect");
  is_wrong_usage(run({"bench", "call", "--connect", nowhere, "--in-fligth", "3"}),
                 "mailroom bench call: unknown flag --in-fligth, nearest is --in-flight");
}

BOOST_AUTO_TEST_CASE(a_missing_option_is_named) {
  is_wrong_usage(run({"call", "--topic", "echo", "echo"}), "--connect");
  is_wrong_usage(run({"call", "--connect", nowhere, "echo"}), "--topic");
  is_wrong_usage(run({"call", "--connect", nowhere, "--topic", "echo"}), "METHOD");
  is_wrong_usage(run({"ping"}), "--connect");
  is_wrong_usage(run({"executor", "ls"}), "--connect");
}

BOOST_AUTO_TEST_CASE(bad_json_is_wrong) {
  for (const std::string bad : {"[1,", "{}", "\"text\"", "[hello]", "", "[] []"}) {
    is_wrong_usage(run({"call", "--connect", nowhere, "--topic", "echo", "echo", bad}),
                   "mailroom call: ");
    is_wrong_usage(run({"cast", "--connect", nowhere, "--topic", "echo", "sink", bad}),
                   "mailroom cast: ");
  }
}

BOOST_AUTO_TEST_CASE(one_argument_too_many_is_wrong) {
  is_wrong_usage(run({"call", "--connect", nowhere, "--topic", "echo", "echo", "[]", "more"}),
                 "unexpected argument 'more'");
}

BOOST_AUTO_TEST_CASE(a_bad_duration_is_wrong) {
  for (const std::string bad : {"2", "soon", "-1s", ""}) {
    is_wrong_usage(run({"call", "--connect", nowhere, "--topic", "echo", "--timeout", bad, "echo"}),
                   "--timeout");
  }
}

BOOST_AUTO_TEST_CASE(a_bad_version_is_wrong) {
  is_wrong_usage(run({"call", "--connect", nowhere, "--topic", "echo", "--version", "new", "echo"}),
                 "--version");
}

BOOST_AUTO_TEST_CASE(a_bad_address_is_wrong) {
  is_wrong_usage(run({"call", "--connect", "nowhere", "--topic", "echo", "echo"}), "nowhere");
  is_wrong_usage(run({"bench", "serve", "--listen", "tcp://127.0.0.1"}), "write tcp://HOST:PORT");
}

BOOST_AUTO_TEST_CASE(an_address_that_leads_nowhere_is_wrong_and_names_the_flag) {
  for (const std::string bad : {"tcp://:5",
                                "tcp://*:7911",
                                "tcp://::1:7911",
                                "tcp://[]:7911",
                                "tcp://127.0.0.1:0",
                                "tcp://127.0.0.1:70000",
                                "ipc://",
                                "udp://127.0.0.1:7911",
                                ""}) {
    is_wrong_usage(run({"call", "--connect", bad, "--topic", "echo", "echo"}),
                   "mailroom call: --connect: ");
    is_wrong_usage(run({"ping", "--connect", bad}), "mailroom ping: --connect: ");
  }
  is_wrong_usage(run({"ping", "--connect", "tcp://::1:7911"}), "brackets");
  is_wrong_usage(run({"bench", "serve", "--listen", "tcp://::1:0"}), "--listen: ");
}

BOOST_AUTO_TEST_CASE(an_unknown_executor_names_the_nearest) {
  is_wrong_usage(run({"bench", "serve", "--executor", "work-steeling"}),
                 "nearest is work-stealing");
  is_wrong_usage(run({"bench", "compare", "--cases", "calls-1001"}), "nearest is calls-1000");
}

BOOST_AUTO_TEST_CASE(numbers_out_of_range_are_wrong) {
  is_wrong_usage(run({"bench", "call", "--connect", nowhere, "--in-flight", "0"}), "--in-flight");
  is_wrong_usage(run({"bench", "call", "--connect", nowhere, "--seconds", "never"}), "--seconds");
  is_wrong_usage(run({"bench", "call", "--connect", nowhere, "--payload", "lots"}), "--payload");
  for (const std::string verb : {"call", "cast"}) {
    const auto with = [&](const std::string& flag, const std::string& value) {
      return run({"bench", verb, "--connect", nowhere, flag, value});
    };
    for (const std::string bad : {"nan", "inf", "-1"}) {
      is_wrong_usage(with("--seconds", bad), "--seconds: '" + bad + "' should be a number from");
      is_wrong_usage(with("--rate", bad), "--rate: '" + bad + "' should be a number from 0 to");
    }
    is_wrong_usage(with("--in-flight", "65537"), "from 1 to 65536");
    is_wrong_usage(with("--payload", "1GiB"), "--payload: '1GiB' is over the largest body");
    is_wrong_usage(with("--payload", "99999999GiB"), "--payload");
  }
  is_wrong_usage(run({"bench", "compare", "--seconds", "nan"}), "--seconds");
  is_wrong_usage(run({"bench", "serve", "--workers", "-1"}), "from 0 to 1024");
  is_wrong_usage(run({"bench", "local", "--workers", "1025"}), "from 0 to 1024");
  for (const char* bad : {"-1", "9999", "one"}) {
    is_wrong_usage(run({"bench", "serve", "--cpu", bad}), "there are 0");
  }
}

BOOST_AUTO_TEST_CASE(a_method_without_a_name_is_wrong) {
  for (const char* verb : {"call", "cast"}) {
    is_wrong_usage(run({verb, "--connect", nowhere, "--topic", "echo", ""}),
                   "METHOD: a method has a name");
  }
}

BOOST_AUTO_TEST_CASE(json_that_would_lose_something_is_wrong) {
  const auto with = [](const std::string& arguments) {
    return run({"call", "--connect", nowhere, "--topic", "echo", "echo", arguments});
  };
  is_wrong_usage(with("[18446744073709551616]"), "18446744073709551616 needs more than 64 bits");
  is_wrong_usage(with("[[-9223372036854775809]]"), "more than 64 bits");
  is_wrong_usage(with(R"([{"a":1,"a":2}])"), "the key 'a' twice");
  // Those that fit get further: to the address where nobody is.
  for (const std::string good :
       {"[18446744073709551615,-9223372036854775808,18446744073709551616.0]",
        R"([{"a":{"a":1}},{"a":2}])"}) {
    BOOST_TEST(with(good).code == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_topic_without_a_name_is_wrong) {
  for (const char* verb : {"call", "cast"}) {
    is_wrong_usage(run({verb, "--connect", nowhere, "--topic", "", "echo"}),
                   "--topic: a topic has a name");
    is_wrong_usage(run({"bench", verb, "--connect", nowhere, "--topic", ""}), "--topic");
  }
  is_wrong_usage(run({"executor", "set", "--connect", nowhere, "--topic", "", "cooperative"}),
                 "mailroom executor set: --topic");
}

BOOST_AUTO_TEST_CASE(an_address_that_libzmq_does_not_know_is_wrong) {
  for (const char* verb : {"raw-serve", "raw-sink"}) {
    is_wrong_usage(run({"bench", verb, "--listen", "nowhere"}), "nowhere");
  }
  for (const char* verb : {"raw-call", "raw-cast"}) {
    is_wrong_usage(run({"bench", verb, "--connect", "nowhere"}), "nowhere");
  }
}

BOOST_AUTO_TEST_CASE(the_version_is_that_of_the_project) {
  const outcome got = run({"--version"});
  BOOST_TEST(got.code == 0);
  BOOST_TEST(got.out == "mailroom " MAILROOM_PROJECT_VERSION "\n");
  BOOST_TEST(got.err.empty(), got.err);
}

BOOST_AUTO_TEST_CASE(every_command_is_known_here) {
  std::vector<std::string> listed;
  for (const auto& words : all_below({})) {
    listed.push_back(joined(words));
  }
  std::sort(listed.begin(), listed.end());
  const std::vector<std::string> known{"mailroom bench",          "mailroom bench call",
                                       "mailroom bench cast",     "mailroom bench compare",
                                       "mailroom bench local",    "mailroom bench raw-call",
                                       "mailroom bench raw-cast", "mailroom bench raw-serve",
                                       "mailroom bench raw-sink", "mailroom bench serve",
                                       "mailroom call",           "mailroom cast",
                                       "mailroom describe",       "mailroom drain",
                                       "mailroom executor",       "mailroom executor ls",
                                       "mailroom executor set",   "mailroom ledger",
                                       "mailroom nodes",          "mailroom ping",
                                       "mailroom topics"};
  BOOST_TEST(listed == known, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_command_explains_itself_with_an_example) {
  for (auto words : all_below({})) {
    const std::string example = "Example:\n  " + joined(words);
    words.emplace_back("--help");
    const outcome got = run(words);
    BOOST_TEST(got.code == 0);
    BOOST_TEST(got.err.empty(), got.err);
    BOOST_TEST(has(got.out, example), got.out);
  }
  BOOST_TEST(has(run({"--help"}).out, "Example:\n  mailroom "));
}

BOOST_AUTO_TEST_CASE(every_command_refuses_a_flag_that_it_does_not_have) {
  for (auto words : all_below({})) {
    const std::string command = joined(words);
    words.emplace_back("--jsom");
    is_wrong_usage(run(words), command + ": unknown flag --jsom");
  }
  is_wrong_usage(run({"--jsom"}), "mailroom: unknown flag --jsom");
}

BOOST_AUTO_TEST_CASE(every_command_that_does_something_prints_json_when_asked) {
  for (auto words : all_below({})) {
    words.emplace_back("--help");
    const outcome got = run(words);
    BOOST_TEST((has(got.out, "--json") || has(got.out, subcommands)), got.out);
  }
}

BOOST_AUTO_TEST_CASE(what_could_not_be_written_is_a_failure) {
  const std::vector<std::vector<std::string>> commands{{"--version"},
                                                       {"--help"},
                                                       {"bench", "serve"},
                                                       {"bench", "serve", "--json"},
                                                       {"bench", "raw-serve"},
                                                       {"bench", "raw-sink", "--json"},
                                                       {"bench", "local", "--seconds", "0.05"}};
  for (const auto& words : commands) {
    const outcome got = run_on_full_disk(words);
    BOOST_TEST(got.code == 1, joined(words));
    BOOST_TEST(got.is_one_line_of_error(), got.err);
    BOOST_TEST(has(got.err, "stdout"), got.err);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::usage_test
