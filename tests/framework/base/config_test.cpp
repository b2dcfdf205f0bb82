#include <mailroom/framework/base/config.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace mailroom::tests::config_test {
namespace {

// What a node has, more or less.
config_schema schema() {
  config_schema all;
  all.add({.key = "node.listen", .fallback = "tcp://127.0.0.1:0", .help = "Where we are reached."});
  all.add({.key = "node.executor",
           .fallback = "loop-bound",
           .help = "Who serves mailboxes.",
           .choices = {"cooperative", "work-stealing", "loop-bound"}});
  all.add({.key = "node.peers", .type = option_type::list, .help = "Addresses of other nodes."});
  all.add({.key = "node.token", .help = "What peers must know.", .secret = true});
  all.add({.key = "executor.workers",
           .type = option_type::integer,
           .fallback = "2",
           .help = "Threads.",
           .minimum = 1,
           .maximum = 64});
  all.add({.key = "executor.steal",
           .type = option_type::boolean,
           .fallback = "true",
           .help = "Take work from others."});
  all.add({.key = "rpc.call_timeout",
           .type = option_type::time,
           .fallback = "60s",
           .help = "Deadline of a call that names none."});
  all.add({.key = "rpc.max_body",
           .type = option_type::size,
           .fallback = "16MiB",
           .help = "Larger bodies are refused."});
  all.add({.key = "placement.*", .help = "Executor of a topic."});
  all.add({.key = "executors.*.policy", .help = "Policy of an executor of that name."});
  all.add({.key = "executors.*.workers", .type = option_type::integer, .help = "Its threads."});
  return all;
}

struct with_file {
  with_file() {
    std::string name = (std::filesystem::temp_directory_path() / "mailroom-config-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    path = (folder / "node.toml").string();
  }
  with_file(const with_file&) = delete;
  with_file& operator=(const with_file&) = delete;
  ~with_file() { std::filesystem::remove_all(folder); }

  result<config> load(const std::string& toml, config_sources sources = {}) const {
    std::ofstream(path) << toml;
    sources.file = path;
    return config::load(schema(), sources);
  }

  // What is said about a file, without the folder.
  std::string complaint(const std::string& toml) const {
    const auto loaded = load(toml);
    BOOST_REQUIRE(!loaded);
    BOOST_TEST((loaded.error() == errc::invalid_value));
    const auto said = std::string(loaded.error().message());
    BOOST_REQUIRE(said.starts_with(folder.string() + "/"));
    return said.substr(folder.string().size() + 1);
  }

  std::filesystem::path folder;
  std::string path;
};

std::string complaint_of_flags(const config_sources::pairs& flags) {
  const auto loaded = config::load(schema(), {.flags = flags});
  BOOST_REQUIRE(!loaded);
  return std::string(loaded.error().message());
}

std::string complaint_of_environment(const config_sources::pairs& variables) {
  const auto loaded = config::load(schema(), {.environment = variables});
  BOOST_REQUIRE(!loaded);
  return std::string(loaded.error().message());
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(config_of_a_program, with_file)

BOOST_AUTO_TEST_CASE(has_fallbacks_when_nobody_says_anything) {
  const auto loaded = config::load(schema(), {});
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->text("node.listen") == "tcp://127.0.0.1:0");
  BOOST_TEST(loaded->list("node.peers").empty());
  BOOST_TEST(loaded->integer("executor.workers") == 2);
  BOOST_TEST(loaded->boolean("executor.steal"));
  BOOST_TEST((loaded->time("rpc.call_timeout") == 60s));
  BOOST_TEST(loaded->size("rpc.max_body") == 16U * 1024U * 1024U);
  BOOST_TEST(!loaded->is_set("node.listen"));
  BOOST_TEST(loaded->names("placement").empty());
}

BOOST_AUTO_TEST_CASE(reads_a_file_with_every_type) {
  const auto loaded = load(R"([node]
listen = "tcp://*:7001"
peers = ["tcp://a:1", "tcp://b:2"]
[executor]
workers = 4
steal = false
[rpc]
call_timeout = "250ms"
max_body = 4096
[placement]
echo = "cooperative"
"meters.cpu" = "loop-bound"
meters.disk = "work-stealing"
)");
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->text("node.listen") == "tcp://*:7001");
  BOOST_TEST(loaded->list("node.peers") == (std::vector<std::string>{"tcp://a:1", "tcp://b:2"}));
  BOOST_TEST(loaded->integer("executor.workers") == 4);
  BOOST_TEST(!loaded->boolean("executor.steal"));
  BOOST_TEST((loaded->time("rpc.call_timeout") == 250ms));
  BOOST_TEST(loaded->size("rpc.max_body") == 4096U);
  BOOST_TEST(loaded->names("placement") ==
             (std::vector<std::string>{"echo", "meters.cpu", "meters.disk"}));
  BOOST_TEST(loaded->text("placement.meters.cpu") == "loop-bound");
  BOOST_TEST(loaded->origin("executor.workers") == path + ":5");
}

BOOST_AUTO_TEST_CASE(lets_environment_outrank_file_and_flags_outrank_both) {
  config_sources sources;
  sources.environment = {{"MAILROOM_LISTEN", "environment"}, {"MAILROOM_EXECUTOR_WORKERS", "8"}};
  sources.flags = {{"listen", "flag"}};
  const auto loaded = load(
      "[node]\nlisten = \"file\"\n[executor]\nworkers = 4\n[rpc]\nmax_body = \"1KiB\"\n", sources);
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->text("node.listen") == "flag");
  BOOST_TEST(loaded->origin("node.listen") == "flag --listen");
  BOOST_TEST(loaded->integer("executor.workers") == 8);
  BOOST_TEST(loaded->origin("executor.workers") == "environment MAILROOM_EXECUTOR_WORKERS");
  BOOST_TEST(loaded->size("rpc.max_body") == 1024U);
  BOOST_TEST(loaded->is_set("rpc.max_body"));
}

BOOST_AUTO_TEST_CASE(names_options_alike_everywhere) {
  BOOST_TEST(environment_name("node.listen") == "MAILROOM_LISTEN");
  BOOST_TEST(environment_name("rpc.call_timeout") == "MAILROOM_RPC_CALL_TIMEOUT");
  BOOST_TEST(flag_name("node.listen") == "--listen");
  BOOST_TEST(flag_name("rpc.call_timeout") == "--rpc-call-timeout");
}

BOOST_AUTO_TEST_CASE(takes_free_names_from_environment_and_flags) {
  const auto loaded = config::load(schema(),
                                   {.environment = {{"MAILROOM_PLACEMENT_ECHO", "a"}},
                                    .flags = {{"placement-Meters.cpu", "b"}}});
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->text("placement.echo") == "a");
  BOOST_TEST(loaded->text("placement.Meters.cpu") == "b");
}

BOOST_FIXTURE_TEST_CASE(takes_free_names_in_the_middle, with_file) {
  const auto loaded = load(
      "[executors.heavy]\npolicy = \"a\"\nworkers = 2\n[executors.\"my own\"]\npolicy = \"b\"\n",
      {.environment = {{"MAILROOM_EXECUTORS_HEAVY_WORKERS", "3"}},
       .flags = {{"executors-light-policy", "c"}}});
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->names("executors") == (std::vector<std::string>{"heavy", "light", "my own"}),
             boost::test_tools::per_element());
  BOOST_TEST(loaded->text("executors.heavy.policy") == "a");
  BOOST_TEST(loaded->integer("executors.heavy.workers") == 3);
  BOOST_TEST(loaded->text("executors.my own.policy") == "b");
  BOOST_TEST(!loaded->has("executors.my own.workers"));
  BOOST_TEST(loaded->text("executors.light.policy") == "c");
  BOOST_TEST(loaded->print().find("executors.\"my own\".policy = \"b\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(splits_lists_at_commas_and_gathers_repeated_flags) {
  const auto loaded = config::load(
      schema(),
      {.environment = {{"MAILROOM_PEERS", "x,y"}}, .flags = {{"peers", "a,b"}, {"peers", "c"}}});
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->list("node.peers") == (std::vector<std::string>{"a", "b", "c"}));
}

BOOST_AUTO_TEST_CASE(refuses_an_unknown_key_and_says_where_and_what_is_near) {
  BOOST_TEST(complaint("\n[node]\nlisen = \"x\"\n") ==
             "node.toml:3: unknown key node.lisen (nearest: node.listen)");
  BOOST_TEST(complaint("[rcp]\nmax_body = 1\n") == "node.toml:1: unknown key rcp (nearest: rpc)");
  BOOST_TEST(complaint("listen = \"x\"\n") ==
             "node.toml:1: unknown key listen (nearest: node.listen)");
  BOOST_TEST(complaint("[executors.heavy]\npolcy = \"a\"\n") ==
             "node.toml:2: unknown key executors.heavy.polcy (nearest: executors.heavy.policy)");
  BOOST_TEST(complaint("node = 5\n") ==
             "node.toml:1: node is a table: write [node] above its keys");
  BOOST_TEST(complaint("[attic]\n") == "node.toml:1: unknown key attic");
}

BOOST_AUTO_TEST_CASE(refuses_an_unknown_variable_and_an_unknown_flag) {
  BOOST_TEST(complaint_of_environment({{"PATH", "/bin"}, {"MAILROOM_LISEN", "x"}}) ==
             "environment MAILROOM_LISEN: no such option (nearest: MAILROOM_LISTEN)");
  BOOST_TEST(complaint_of_flags({{"executer", "x"}}) ==
             "flag --executer: no such option (nearest: --executor)");
}

BOOST_AUTO_TEST_CASE(names_the_first_mistake_as_the_file_is_read) {
  BOOST_TEST(complaint("[rpc]\nzzz = 1\n[executor]\naaa = 2\n") ==
             "node.toml:2: unknown key rpc.zzz");
}

BOOST_AUTO_TEST_CASE(refuses_values_that_cannot_be) {
  BOOST_TEST(complaint("[rpc]\ncall_timeout = \"soon\"\n") ==
             "node.toml:2: rpc.call_timeout: 'soon' is no duration (write 250ms, 2s or 5m)");
  BOOST_TEST(complaint("[rpc]\ncall_timeout = 2\n") ==
             "node.toml:2: rpc.call_timeout: wants a duration like \"2s\"");
  BOOST_TEST(complaint("[rpc]\nmax_body = -1\n") ==
             "node.toml:2: rpc.max_body: '-1' is no size (write 512, 64KiB or 10MB)");
  BOOST_TEST(complaint("[node]\npeers = \"a\"\n") ==
             "node.toml:2: node.peers: wants a list of texts");
  BOOST_TEST(complaint("[node]\npeers = [1]\n") ==
             "node.toml:2: node.peers: wants a list of texts");
  BOOST_TEST(complaint("[node.listen]\nx = 1\n") == "node.toml:1: node.listen: wants text");
  BOOST_TEST(complaint_of_flags({{"executor-workers", "many"}}) ==
             "flag --executor-workers: executor.workers: 'many' is no whole number");
  BOOST_TEST(complaint_of_flags({{"executor-workers", "65"}}) ==
             "flag --executor-workers: executor.workers: '65' is not within 1 and 64");
  BOOST_TEST(
      complaint_of_environment({{"MAILROOM_EXECUTOR_STEAL", "yes"}}) ==
      "environment MAILROOM_EXECUTOR_STEAL: executor.steal: 'yes' is neither true nor false");
  BOOST_TEST(complaint_of_flags({{"executor", "loopbound"}}) ==
             "flag --executor: node.executor: 'loopbound' is none of cooperative, work-stealing, "
             "loop-bound (nearest: loop-bound)");
}

BOOST_AUTO_TEST_CASE(says_line_and_column_of_a_file_that_is_no_toml) {
  const auto said = complaint("[node]\nlisten = \n");
  BOOST_TEST(said.starts_with("node.toml:2:10: "), said);
}

BOOST_AUTO_TEST_CASE(says_why_a_file_cannot_be_read) {
  for (const auto& missing : {folder / "none.toml", folder}) {
    const auto loaded = config::load(schema(), {.file = missing.string()});
    BOOST_REQUIRE(!loaded);
    BOOST_TEST((loaded.error() == errc::io));
    BOOST_TEST(loaded.error().message().starts_with(missing.string() + ": "));
  }
}

BOOST_AUTO_TEST_CASE(prints_every_value_with_its_origin) {
  config_sources sources;
  sources.environment = {{"MAILROOM_EXECUTOR_WORKERS", "8"}};
  sources.flags = {{"executor", "cooperative"}};
  const auto loaded =
      load("[rpc]\ncall_timeout = \"1.5s\"\n[placement]\n\"a b\" = \"x\"\n", sources);
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->print() ==
             "node.listen = \"tcp://127.0.0.1:0\"  # default\n"
             "node.executor = \"cooperative\"  # flag --executor\n"
             "node.peers = []  # default\n"
             "# node.token is not shown  # default\n"
             "executor.workers = 8  # environment MAILROOM_EXECUTOR_WORKERS\n"
             "executor.steal = true  # default\n"
             "rpc.call_timeout = \"1500ms\"  # " +
                 path +
                 ":2\n"
                 "rpc.max_body = \"16MiB\"  # default\n"
                 "placement.\"a b\" = \"x\"  # " +
                 path + ":4\n");
}

BOOST_AUTO_TEST_CASE(prints_what_it_can_read_again) {
  const auto first =
      load("[node]\nlisten = 'a\"b\\c'\npeers = [\"x\\ny\"]\n[placement]\na.b = \"c\"\n");
  BOOST_REQUIRE(first);
  const auto second = load(first->print());
  BOOST_REQUIRE(second);
  BOOST_TEST(second->text("node.listen") == "a\"b\\c");
  BOOST_TEST(second->list("node.peers") == (std::vector<std::string>{"x\ny"}));
  BOOST_TEST(second->text("placement.a.b") == "c");
}

BOOST_AUTO_TEST_CASE(never_shows_a_secret) {
  const auto loaded = config::load(schema(), {.environment = {{"MAILROOM_TOKEN", "hunter2"}}});
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->text("node.token") == "hunter2");
  BOOST_TEST(loaded->print().find("hunter2") == std::string::npos);
  BOOST_TEST(complaint("[node]\ntoken = 4711\n") == "node.toml:2: node.token: wants text");

  config_schema secretive;
  secretive.add({.key = "a", .type = option_type::integer, .fallback = "0", .secret = true});
  const auto refused = config::load(secretive, {.flags = {{"a", "hunter2"}}});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().message() == "flag --a: a: wants a whole number");
}

BOOST_AUTO_TEST_CASE(tells_a_program_of_its_own_mistakes) {
  BOOST_CHECK_THROW(schema().add({.key = "node.listen"}), std::logic_error);
  BOOST_CHECK_THROW(schema().add({.key = "node.call_timeout.x"}).add({.key = "call.timeout-x"}),
                    std::logic_error);
  BOOST_CHECK_THROW(schema().add({.key = "x", .type = option_type::integer, .fallback = "y"}),
                    std::logic_error);
  const auto loaded = config::load(schema(), {});
  BOOST_REQUIRE(loaded);
  BOOST_CHECK_THROW((void)loaded->text("node.attic"), std::logic_error);
  BOOST_CHECK_THROW((void)loaded->text("executor.workers"), std::logic_error);
}

BOOST_AUTO_TEST_CASE(tells_people_what_there_is) {
  const auto help = schema().usage();
  BOOST_TEST(
      help.find("--listen  Where we are reached. (MAILROOM_LISTEN; default tcp://127.0.0.1:0)") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(sees_the_environment_of_its_process) {
  BOOST_REQUIRE(::setenv("MAILROOM_LISTEN", "from=outside", 1) == 0);
  const auto loaded = config::load(schema(), {.environment = process_environment()});
  BOOST_REQUIRE(::unsetenv("MAILROOM_LISTEN") == 0);
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->text("node.listen") == "from=outside");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::config_test
