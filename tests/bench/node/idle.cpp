#include <mailroom/tests/bench/node/node_bench.hpp>
#include <mailroom/tests/support/process.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/actors/runtime.hpp>

#include <mailroom/framework/executors/blocking_pool.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/rpc/context.hpp>

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

namespace mailroom::tests::bench {
namespace {

class sleeper {
 public:
  std::string echo(context&, std::string what) { return what; }
};

}  // namespace

bool idle(bool smoke) {
  const std::size_t count = smoke ? 10'000 : 1'000'000;
  // Peers are told of 65 536 topics at most, so that a million endpoints are made below a node.
  node outward({});
  outward.start().value();
  platform& host = platform::system();
  executors::event_loop loop("mr-loop-1", host);
  loop.start();
  executors::executor::options with;
  with.name = "cooperative";
  with.run = &actors::runtime::run_turn;
  const auto home = executors::make_executor("cooperative", std::move(with)).value();
  home->start();
  executors::blocking_pool pool(1, host);
  {
    actors::runtime within(*home, pool, loop, host, [] {});
    std::vector<std::unique_ptr<actors::endpoint>> all(count);
    const auto memory = figures_of(::getpid()).private_bytes;
    const auto begun = clock::now();
    for (auto& each : all) {
      each = within.spawn(endpoint<sleeper>().method("echo", &sleeper::echo).build("idle"),
                          "idle",
                          outward,
                          {*home});
    }
    const double took = std::chrono::duration<double>(clock::now() - begun).count();
    const auto each = static_cast<double>(figures_of(::getpid()).private_bytes - memory) /
                      static_cast<double>(count);
    const auto ended = clock::now();
    all.clear();
    const double gone = std::chrono::duration<double>(clock::now() - ended).count();
    std::printf("idle: %zu endpoints, %.0f made and %.0f dropped a second, %.0f bytes each\n",
                count,
                static_cast<double>(count) / took,
                static_cast<double>(count) / gone,
                each);
  }
  pool.stop(host.now());
  home->stop(deadline::none());
  loop.stop();
  return true;
}

}  // namespace mailroom::tests::bench
