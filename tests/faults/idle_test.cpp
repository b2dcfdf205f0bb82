#include <mailroom/tests/faults/idle.hpp>
#include <mailroom/tests/faults/scene.hpp>

#include <fstream>
#include <numeric>
#include <thread>

using namespace mailroom;
using namespace mailroom::tests;

namespace {

// How long the processors of the machine had nothing to do, added up.
duration machine_idle() {
  std::ifstream stat("/proc/stat");
  std::string name;
  long user = 0;
  long nice = 0;
  long system = 0;
  long idle = 0;
  stat >> name >> user >> nice >> system >> idle;
  return std::chrono::milliseconds(idle * 10);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faults)
BOOST_AUTO_TEST_SUITE(idle)

BOOST_AUTO_TEST_CASE(costs_next_to_nothing_when_cooperative) {
  check_idle("cooperative", 5s);
}
BOOST_AUTO_TEST_CASE(costs_next_to_nothing_when_work_stealing) {
  check_idle("work-stealing", 5s);
}
BOOST_AUTO_TEST_CASE(costs_next_to_nothing_when_loop_bound) {
  check_idle("loop-bound", 5s);
}

BOOST_AUTO_TEST_CASE(costs_next_to_nothing_with_two_loops) {
  check_idle("loop-bound/1", 5s);
}

BOOST_AUTO_TEST_CASE(makes_no_thread_for_a_call_or_an_endpoint) {
  for (const auto* executor : {"cooperative", "work-stealing", "loop-bound"}) {
    other_process server({.executor = executor, .heartbeat = 10s});
    caller_node caller(server.address);
    const auto probes = caller.probes();
    BOOST_TEST(probes.call<said>("suspending", "x").has_value());
    const auto before = server.running.figures().threads;
    BOOST_TEST(server.obey("idle 200") == "served");
    std::vector<std::future<result<said>>> out;
    for (int i = 0; i < 500; ++i) {
      out.push_back(probes.future_call<said>("wait_at_gate"));
      out.push_back(probes.future_call<said>("wait_at_gate_on_fiber"));
    }
    BOOST_TEST(eventually([&] { return server.count("gate_reached") == 1000; }));
    BOOST_TEST(server.running.figures().threads == before, executor);
    BOOST_TEST(probes.call<int>("open_gate").value() == 1000);
  }
}

BOOST_AUTO_TEST_CASE(lets_two_endpoints_burn_two_cores_when_work_stealing) {
  other_process server({.executor = "work-stealing", .heartbeat = 10s});
  caller_node caller(server.address);
  bool parallel = false;
  for (int attempt = 0; attempt < 3 && !parallel; ++attempt) {
    const auto idle_before = machine_idle();
    const auto begun = clock::now();
    auto left = caller.of("left").future_call<said>("burn", 1000);
    auto right = caller.of("right").future_call<said>("burn", 1000);
    BOOST_TEST(eventually([&] { return server.count("burning") == 2 * (attempt + 1); }));
    // Neither has ended, or there was one after the other.
    BOOST_TEST((left.wait_for(0s) == std::future_status::timeout &&
                right.wait_for(0s) == std::future_status::timeout));
    const auto on_left = left.get().value().thread;
    const auto on_right = right.get().value().thread;
    const duration took = clock::now() - begun;
    const duration idle = machine_idle() - idle_before;
    BOOST_TEST(on_left != on_right);
    // Slower only if the machine was busy with others: then no processor had nothing to do.
    BOOST_TEST_MESSAGE("two seconds of work took " << took.count() / 1'000'000
                                                   << " ms, processors idle for "
                                                   << idle.count() / 1'000'000 << " ms");
    parallel = took < 1600ms || (std::thread::hardware_concurrency() >= 2 && idle < took / 4);
  }
  BOOST_TEST(parallel);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
