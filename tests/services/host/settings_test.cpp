#include <mailroom/services/host/service_settings.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace mailroom::tests::settings_test {
// What is configured per topic: in the file, in the environment and by flag, each outranking those
// before it.

namespace {

struct folder {
  folder() {
    path = (std::filesystem::temp_directory_path() / "mailroom-settings-XXXXXX").string();
    BOOST_TEST_REQUIRE(::mkdtemp(path.data()) != nullptr);
  }
  ~folder() { std::filesystem::remove_all(path); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  std::string path;
};

struct given {
  std::string file = {};
  config_sources::pairs environment = {};
  config_sources::pairs flags = {};
};

result<node_options> options_of(const given& from) {
  const folder in;
  config_sources sources;
  sources.environment = from.environment;
  sources.flags = from.flags;
  if (!from.file.empty()) {
    sources.file = in.path + "/service.toml";
    std::ofstream(sources.file) << from.file;
  }
  const auto read = config::load(node_schema({}), sources);
  return read ? node_options_from(*read) : result<node_options>(read.error());
}

endpoint_options options_of(const given& from, const std::string& topic) {
  return options_of(from).value().endpoints.at(topic);
}

std::string refusal_of(const given& from) {
  const auto read = options_of(from);
  BOOST_TEST_REQUIRE(!read.has_value());
  BOOST_TEST((read.error() == errc::invalid_value));
  return std::string(read.error().message());
}

void check_says(const std::string& text, const std::vector<std::string>& words) {
  for (const auto& each : words) {
    BOOST_TEST(text.find(each) != std::string::npos, "'" << each << "' is missing in: " << text);
  }
}

const std::string file = R"(
[endpoints.echo]
queue_limit = 10
queue_policy = "by_priority"
[endpoints."meters.cpu"]
queue_limit = 20
instances = 2
)";

}  // namespace

BOOST_AUTO_TEST_SUITE(host_settings)

BOOST_AUTO_TEST_CASE(say_nothing_of_endpoints_unless_they_do) {
  BOOST_TEST(options_of({}).value().endpoints.empty());
}

BOOST_AUTO_TEST_CASE(bound_the_queues_of_topics_that_the_file_names) {
  const auto echo = options_of({.file = file}, "echo");
  BOOST_TEST(echo.queue_limit.value() == 10U);
  BOOST_TEST((echo.queue_policy.value() == queue_policy::by_priority));
  const auto cpu = options_of({.file = file}, "meters.cpu");
  BOOST_TEST(cpu.queue_limit.value() == 20U);
  BOOST_TEST(!cpu.queue_policy.has_value());
}

BOOST_AUTO_TEST_CASE(take_what_flags_and_environment_say_for_more_than_the_file) {
  const given both{.file = file,
                   .environment = {{"MAILROOM_QUEUE_LIMIT", "echo=30,meters.cpu=40"}},
                   .flags = {{"queue-policy", "meters.cpu=drop_oldest"}}};
  BOOST_TEST(options_of(both, "echo").queue_limit.value() == 30U);
  BOOST_TEST((options_of(both, "echo").queue_policy.value() == queue_policy::by_priority));
  BOOST_TEST(options_of(both, "meters.cpu").queue_limit.value() == 40U);
  BOOST_TEST((options_of(both, "meters.cpu").queue_policy.value() == queue_policy::drop_oldest));
  const given flags{.flags = {{"queue-limit", "a=1"}, {"queue-limit", "b=1000000000"}}};
  BOOST_TEST(options_of(flags, "a").queue_limit.value() == 1U);
  BOOST_TEST(options_of(flags, "b").queue_limit.value() == 1'000'000'000U);
}

BOOST_AUTO_TEST_CASE(say_how_many_instances_a_topic_has) {
  BOOST_TEST(options_of({.file = file}, "meters.cpu").instances.value() == 2U);
  BOOST_TEST(!options_of({.file = file}, "echo").instances.has_value());
  const given more{.file = file, .flags = {{"instances", "meters.cpu=4"}, {"instances", "echo=5"}}};
  BOOST_TEST(options_of(more, "meters.cpu").instances.value() == 4U);
  BOOST_TEST(options_of(more, "meters.cpu").queue_limit.value() == 20U);
  BOOST_TEST(options_of(more, "echo").instances.value() == 5U);
}

BOOST_AUTO_TEST_CASE(refuse_spare_workers_where_nobody_could_stand_in) {
  check_says(
      refusal_of({.file = "[executors.mine]\npolicy = \"cooperative\"\nspare_workers = 1\n"}),
      {"toml:3", "executors.mine.spare_workers", "only work-stealing has threads of its own"});
  check_says(refusal_of({.flags = {{"spare-workers", "1"}, {"watchdog", "0"}}}),
             {"--spare-workers", "watchdog is 0"});
  check_says(refusal_of({.flags = {{"spare-workers", "1025"}}}), {"--spare-workers", "1024"});
  check_says(refusal_of({.file = "[executors.mine]\nspare_workers = 1\n"}),
             {"toml:2", "executor 'mine' has no policy"});
}

BOOST_AUTO_TEST_CASE(tell_where_a_bound_that_cannot_be_was_given) {
  for (const auto* value : {"0", "-1", "1000000001", "99999999999999999999", "many", "1k"}) {
    check_says(refusal_of({.flags = {{"queue-limit", std::string("echo=") + value}}}),
               {"flag --queue-limit", "'" + std::string(value) + "' is not a number from 1 to"});
  }
  for (const auto* words : {"echo", "=5", "echo="}) {
    check_says(refusal_of({.flags = {{"queue-limit", words}}}),
               {"flag --queue-limit", "is not topic=calls"});
  }
  check_says(refusal_of({.flags = {{"instances", "echo=1025"}}}),
             {"flag --instances", "'1025' is not a number from 1 to 1024"});
  check_says(refusal_of({.file = "[endpoints.echo]\ninstances = 0\n"}), {"toml:2", "1"});
  check_says(refusal_of({.flags = {{"queue-policy", "echo=drop_newest"}}}),
             {"flag --queue-policy",
              "no queue policy 'drop_newest'",
              "refuse_newest, drop_oldest and by_priority"});
  check_says(refusal_of({.file = "[endpoints.echo]\nqueue_limit = 0\n"}), {"toml:2", "1"});
  check_says(refusal_of({.file = "[endpoints.echo]\nqueue_policy = \"drop_oldst\"\n"}),
             {"toml:2", "drop_oldest"});
  check_says(refusal_of({.file = "[endpoints.echo]\nqueue_limt = 5\n"}),
             {"toml:2", "nearest: endpoints.echo.queue_limit"});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::settings_test
