#include <mailroom/tests/services/host/journal.hpp>
#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

// A service that is stopped for so long that its callers were told that it is lost.

namespace mailroom::tests::standing_still_test {
namespace {

constexpr auto dead_interval = std::chrono::milliseconds(400);  // Three heartbeats, and some.

struct scene {
  explicit scene(const std::string& executor)
      : service({"--heartbeat=100ms", "--executor=" + executor}),
        desk({.name = "desk", .connect = {service.address()}}) {
    log::set_level(log::level::error);
    desk.start().value();
  }
  ~scene() { desk.stop(std::chrono::seconds(1)); }

  std::future<result<void>> write(const std::string& line) {
    return patient().future_call<void>("write", line);
  }
  client patient() {
    return client(desk, {.topic = "journal"})
        .prepare({.timeout = std::chrono::seconds(60), .wait_for_ready = true});
  }
  std::uint64_t calls_received() {
    const auto answer = desk.admin(service.address(), "stats");
    BOOST_REQUIRE(answer);
    return nlohmann::json::parse(wire::json_from_body(answer->view()).value())
        .at("calls_received")
        .get<std::uint64_t>();
  }

  journal_service service;
  node desk;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(host_standing_still)

BOOST_AUTO_TEST_CASE(starts_nothing_afterwards_that_came_before) {
  for (const char* executor : {"loop-bound", "cooperative", "work-stealing"}) {
    BOOST_TEST_CONTEXT(executor) {
      scene s(executor);
      std::vector<std::future<result<void>>> calls;
      calls.push_back(s.patient().future_call<void>("write_slowly", std::string("runs"), 300));
      BOOST_TEST(eventually([&] { return !s.service.lines().empty(); }));
      for (int i = 0; i < 50; ++i) {
        calls.push_back(s.write("waits"));
      }
      if (std::string(executor) != "loop-bound") {  // Whose loop is kept by the handler.
        BOOST_TEST(eventually([&] { return s.calls_received() == calls.size(); }));
      }
      s.service.process().signal(SIGSTOP);
      const auto stopped = clock::now();
      for (int i = 0; i < 50; ++i) {
        calls.push_back(s.write("lies in the socket"));
      }
      for (auto& each : calls) {
        const auto got = each.get();
        BOOST_TEST((got.error() == errc::lost));
      }
      // Callers count from when they last heard of it, up to a heartbeat earlier: it is to stand
      // still for as long as they wait.
      std::this_thread::sleep_until(stopped + dead_interval);
      s.service.process().signal(SIGCONT);
      s.write("comes afterwards").get().value();
      const std::vector<std::string> expected{"runs", "comes afterwards"};
      BOOST_TEST(s.service.lines() == expected, boost::test_tools::per_element());
    }
  }
}

// Nobody has given it up.
BOOST_AUTO_TEST_CASE(goes_on_after_a_short_stop) {
  scene s("work-stealing");
  s.service.process().signal(SIGSTOP);
  auto first = s.write("first");
  s.service.process().signal(SIGCONT);
  first.get().value();
  s.write("second").get().value();
  const std::vector<std::string> expected{"first", "second"};
  BOOST_TEST(s.service.lines() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::standing_still_test
