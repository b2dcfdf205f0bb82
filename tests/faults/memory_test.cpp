#include <mailroom/tests/faults/idle.hpp>
#include <mailroom/tests/faults/scene.hpp>

#include <signal.h>

using namespace mailroom;
using namespace mailroom::tests;

namespace {

constexpr std::size_t some = 20'000;
constexpr std::size_t many = 100'000;

// What one more of them costs, between `some` and `many`.
template <class Grow>
double slope(const char* what, process& of, Grow grow_to) {
  grow_to(some);
  const auto before = of.figures().private_bytes;
  grow_to(many);
  const auto after = of.figures().private_bytes;
  const double each = static_cast<double>(after - before) / (many - some);
  std::printf("%s: %.0f bytes each\n", what, each);
  return each;
}

double slope_of_calls(const char* what, const std::string& method) {
  other_process server({.in_flight = 200'000, .heartbeat = 10s});
  caller_node caller(server.address);
  const auto probes = caller.probes().prepare({.timeout = 10min});
  std::vector<std::future<result<said>>> out;
  const double each = slope(what, server.running, [&](std::size_t wanted) {
    while (out.size() < wanted) {
      for (int i = 0; i < 2000; ++i) {
        out.push_back(probes.future_call<said>(method));
      }
      BOOST_REQUIRE(
          eventually([&] { return server.count("gate_reached") == static_cast<long>(out.size()); },
                     std::chrono::seconds(120)));
    }
  });
  server.running.signal(SIGKILL);
  return each;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faults)
BOOST_AUTO_TEST_SUITE(memory)

BOOST_AUTO_TEST_CASE(of_an_idle_endpoint) {
  other_process server;
  std::size_t served = 0;
  const double each = slope("idle endpoint", server.running, [&](std::size_t wanted) {
    BOOST_REQUIRE(server.obey("idle " + std::to_string(wanted - served)) == "served");
    served = wanted;
  });
  BOOST_TEST(each <= 2048.0);
  server.running.signal(SIGKILL);
}

BOOST_AUTO_TEST_CASE(of_a_call_suspended_in_a_coroutine) {
  BOOST_TEST(slope_of_calls("call suspended in a coroutine", "wait_at_gate") <= 1024.0);
}

BOOST_AUTO_TEST_CASE(of_a_call_suspended_in_a_fiber) {
  BOOST_TEST(slope_of_calls("call suspended in a fiber", "wait_at_gate_on_fiber") <= 12.0 * 1024.0);
}

BOOST_AUTO_TEST_CASE(idles_for_half_a_minute) {
  for (const auto* executor : {"cooperative", "work-stealing", "loop-bound"}) {
    check_idle(executor, 30s);
  }
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
