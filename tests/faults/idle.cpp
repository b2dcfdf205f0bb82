#include <mailroom/tests/faults/idle.hpp>
#include <mailroom/tests/faults/raw_peer.hpp>
#include <mailroom/tests/faults/scene.hpp>

#include <memory>

namespace mailroom::tests {

void check_idle(const std::string& executor, std::chrono::seconds window) {
  constexpr std::size_t peers = 100;
  other_process server({.executor = executor});
  raw_context raw;
  std::vector<std::unique_ptr<raw_session>> sessions;
  std::vector<std::unique_ptr<raw_peer>> data;
  while (sessions.size() < peers - 1) {
    const auto& made = sessions.emplace_back(std::make_unique<raw_session>(raw, server.address));
    auto attach = made->attach();
    data.push_back(std::make_unique<raw_peer>(raw, made->data_address()));
    data.back()->send(attach);
  }
  caller_node caller(server.address);
  const auto probes = caller.probes();
  for (int round = 0; round < 20; ++round) {
    std::vector<std::future<result<said>>> out;
    for (int i = 0; i < 500; ++i) {
      out.push_back(probes.future_call<said>(i % 2 == 0 ? "plain" : "coroutine", "load"));
    }
    for (auto& each : out) {
      each.wait();
    }
  }
  // The first second may still be tidying up.
  std::chrono::milliseconds before{0};
  for (std::int64_t second = -1; second < window.count(); ++second) {
    for (auto& each : sessions) {
      each->ping();
    }
    if (second == 0) {
      before = server.running.figures().cpu;
    }
    std::this_thread::sleep_for(1s);
  }
  const auto used = server.running.figures().cpu - before;
  const double allowed = 2.0 + 0.2 * peers;  // ms a second
  const double share = static_cast<double>(used.count()) / static_cast<double>(window.count());
  BOOST_TEST_MESSAGE(executor << ": " << share << " ms of CPU a second with " << peers << " peers");
  BOOST_TEST(share <= allowed);
  BOOST_TEST(eventually([&] { return probes.call<said>("plain", "awake").has_value(); }));
}

}  // namespace mailroom::tests
