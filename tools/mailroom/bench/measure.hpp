#pragma once

#include <mailroom/services/host/node.hpp>
#include <mailroom/tools/mailroom/bench/figures.hpp>
#include <mailroom/tools/mailroom/bench/process.hpp>

#include <functional>
#include <optional>
#include <string>

namespace mailroom::bench {

/// CPU times of both ends at one moment.
struct cpu_times {
  std::optional<duration> client;
  std::optional<duration> server;
};

/// What the server of a node at `address` has used, asked over its control plane.
std::optional<duration> server_cpu_time(node& here, const std::string& address);

/// Runs a generator (`caller`, `caster`) as a task of `here` to its end, with CPU times read at
/// both ends of its window. Throws what the generator threw.
template <class Generator>
void measure(node& here, Generator& load, const std::function<cpu_times()>& cpu) {
  auto ended = here.run("bench", [&load](context& ctx) { return load.run(ctx); });
  ended.wait_until(load.counted().begins);
  const cpu_times before = cpu();
  ended.wait_until(load.counted().ends);
  const cpu_times after = cpu();
  ended.get();
  if (before.client && after.client) {
    load.measured().client_cpu = *after.client - *before.client;
  }
  if (before.server && after.server) {
    load.measured().server_cpu = *after.server - *before.server;
  }
}

}  // namespace mailroom::bench
