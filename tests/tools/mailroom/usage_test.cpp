#define BOOST_TEST_MODULE command_usage
#include <mailroom/tests/tools/mailroom/program.hpp>

#include <boost/test/unit_test.hpp>

using mailroom::tests::has;
using mailroom::tests::outcome;
using mailroom::tests::run;

namespace {

// Nobody listens there: what is wrong must be found before anything is connected.
const std::string nowhere = "tcp://127.0.0.1:9";

void is_wrong_usage(const outcome& got, const std::string& saying) {
  BOOST_TEST(got.code == 2);
  BOOST_TEST(got.out.empty());
  BOOST_TEST(got.is_one_line_of_error(), got.err);
  BOOST_TEST(has(got.err, saying), got.err);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command_usage)

BOOST_AUTO_TEST_CASE(an_unknown_verb_names_the_nearest) {
  is_wrong_usage(run({"cal"}), "mailroom: unknown command 'cal', nearest is call");
}

BOOST_AUTO_TEST_CASE(no_verb_is_wrong) {
  is_wrong_usage(run({}), "mailroom: ");
  is_wrong_usage(run({"bench"}), "mailroom bench: ");
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

BOOST_AUTO_TEST_CASE(an_unknown_executor_names_the_nearest) {
  is_wrong_usage(run({"bench", "serve", "--executor", "work-steeling"}),
                 "nearest is work-stealing");
  is_wrong_usage(run({"bench", "compare", "--cases", "calls-1001"}), "nearest is calls-1000");
}

BOOST_AUTO_TEST_CASE(numbers_out_of_range_are_wrong) {
  is_wrong_usage(run({"bench", "call", "--connect", nowhere, "--in-flight", "0"}), "--in-flight");
  is_wrong_usage(run({"bench", "call", "--connect", nowhere, "--seconds", "never"}), "--seconds");
  is_wrong_usage(run({"bench", "call", "--connect", nowhere, "--payload", "lots"}), "--payload");
}

BOOST_AUTO_TEST_CASE(every_verb_explains_itself_with_an_example) {
  const std::vector<std::vector<std::string>> verbs{{"call"},
                                                    {"cast"},
                                                    {"ping"},
                                                    {"describe"},
                                                    {"executor", "ls"},
                                                    {"bench", "serve"},
                                                    {"bench", "call"},
                                                    {"bench", "cast"},
                                                    {"bench", "local"},
                                                    {"bench", "compare"},
                                                    {"bench", "raw-serve"},
                                                    {"bench", "raw-sink"},
                                                    {"bench", "raw-call"},
                                                    {"bench", "raw-cast"}};
  for (auto words : verbs) {
    std::string example = "mailroom";
    for (const auto& word : words) {
      example += ' ' + word;
    }
    words.emplace_back("--help");
    const outcome got = run(words);
    BOOST_TEST(got.code == 0);
    BOOST_TEST(got.err.empty(), got.err);
    BOOST_TEST(has(got.out, "Example:\n  " + example), got.out);
  }
}

BOOST_AUTO_TEST_SUITE_END()
