#include <mailroom/tests/support/process.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

// Calls that come back to where they began, from process to process.

using namespace mailroom;
using mailroom::tests::process;

namespace {

/// Three services in processes of their own, each of which calls the others, and a node that calls
/// them.
struct scene {
  explicit scene(const std::string& executor)
      : folder(new_folder()),
        all{{service("a", executor), service("b", executor), service("c", executor)}},
        desk({.name = "desk", .connect = {at("a"), at("b"), at("c")}}) {
    log::set_level(log::level::off);
    for (auto& each : all) {
      each.read_after("ready ");
    }
    desk.start().value();
  }
  ~scene() {
    desk.stop(std::chrono::seconds(1));
    std::filesystem::remove_all(folder);
  }

  static std::string new_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "mailroom-chain-XXXXXX").string();
    BOOST_TEST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name;
  }
  std::string at(const std::string& name) const { return "ipc://" + folder + "/" + name; }
  process service(const std::string& name, const std::string& executor) const {
    std::vector<std::string> command{
        MAILROOM_CHAIN_SERVICE, "--name=" + name, "--listen=" + at(name), "--executor=" + executor};
    for (const auto* other : {"a", "b", "c"}) {
      if (other != name) {
        command.push_back("--connect=" + at(other));
      }
    }
    return process(command);
  }
  result<std::string> pass(std::vector<std::string> topics) {
    const auto first = client(desk, {.topic = topics.front()});
    topics.erase(topics.begin());
    return first.prepare({.timeout = std::chrono::seconds(60)}).call<std::string>("pass", topics);
  }

  std::string folder;
  std::array<process, 3> all;
  node desk;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(host_chain)

BOOST_AUTO_TEST_CASE(a_call_that_comes_back_through_other_processes_is_a_deadlock_at_once) {
  for (const auto* executor : {"cooperative", "work-stealing", "loop-bound"}) {
    scene with(executor);
    BOOST_TEST(with.pass({"a", "b", "c"}).value() == "end");
    std::vector<duration> took;
    for (int i = 0; i != 21; ++i) {
      const auto begun = clock::now();
      const auto got = with.pass({"a", "b", "c", "a"});
      took.push_back(clock::now() - begun);
      BOOST_TEST_REQUIRE(!got.has_value());
      BOOST_TEST((got.error() == errc::handler_failed || got.error() == errc::deadlock));
      const std::string told = got.error().to_string();
      const auto path = told.find("a.pass");
      BOOST_TEST_REQUIRE(path != std::string::npos, told);
      BOOST_TEST(told.find("b.pass", path) < told.find("c.pass", path), told);
      BOOST_TEST(told.find("a.pass", told.find("c.pass", path)) != std::string::npos, told);
    }
    std::sort(took.begin(), took.end());
    BOOST_TEST((took[took.size() / 2] < std::chrono::milliseconds(10)),
               took[took.size() / 2].count() << " ns");
    BOOST_TEST(with.pass({"c", "b", "a"}).value() == "end");  // Nothing is held up.
  }
}

BOOST_AUTO_TEST_SUITE_END()
