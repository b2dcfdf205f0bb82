#include <mailroom/tests/services/host/journal.hpp>
#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <string>
#include <vector>

// A server whose handlers hang while its heart beats.

namespace mailroom::tests::stuck_test {
namespace {

std::vector<std::string> flags(const std::string& name) {
  return {"--name=" + name,
          "--heartbeat=200ms",
          "--stuck-after=200ms",
          "--executor=work-stealing",
          "--workers=2"};
}

client journal_of(node& by, const std::string& server = {}) {
  return client(by, {.topic = "journal", .server = server})
      .prepare({.timeout = std::chrono::seconds(60)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(host_stuck)

BOOST_AUTO_TEST_CASE(new_calls_go_to_another_server_or_are_busy) {
  log::set_level(log::level::error);
  journal_service hangs(flags("hangs"));
  journal_service works(flags("works"));
  node desk({.name = "desk", .connect = {hangs.address(), works.address()}});
  desk.start().value();
  const auto there = journal_of(desk, "hangs");
  auto hung = there.future_call<void>("hang");
  auto waits = there.future_call<void>("write", std::string("waits"));
  const auto begun = clock::now();
  // Named: no other serves as well.
  duration seen{};
  BOOST_TEST(eventually([&] {
    const auto got = there.prepare({.timeout = std::chrono::milliseconds(20)})
                         .call<void>("write", std::string("asks"));
    seen = clock::now() - begun;
    return !got && got.error() == errc::busy && got.error().execution() == execution::not_run;
  }));
  BOOST_TEST_MESSAGE("seen after " << seen / std::chrono::milliseconds(1) << " ms");
  for (int i = 0; i < 20; ++i) {
    journal_of(desk).call<void>("write", std::to_string(i)).value();
  }
  BOOST_TEST(works.lines().size() == 20U);
  // Its other topics have done no harm.
  client(desk, {.topic = "other", .server = "hangs"}).call<void>("write", std::string("x")).value();
  desk.stop(std::chrono::seconds(1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::stuck_test
