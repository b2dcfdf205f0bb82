#pragma once

#include <mailroom/tests/bench/executors/measure.hpp>

#include <caf/actor_system.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace mailroom::tests::bench {

/// What is promised of ours, as ratios to the better of CAF's. Latencies promise a ceiling, rates a
/// floor.
struct bar {
  std::optional<double> best;           ///< The best of ours.
  std::optional<double> work_stealing;  ///< Work-stealing.
  std::optional<double> cpu;            ///< Work-stealing's processor time for a message.
};

/// Actors that do something and how long it took. They are written once and know nothing of what
/// schedules them.
struct workload {
  std::string_view name;
  std::string_view group;  ///< "messages", "savina", "wake".
  bool is_latency;         ///< `value` is microseconds, less is better; else messages a second.
  bar promised;
  /// `scale` 1 is for measuring; less for a look. All its actors have ended, or are about to.
  figures (*run)(caf::actor_system& of, double scale);
};

std::vector<workload> message_workloads();
std::vector<workload> savina_workloads();
std::vector<workload> savina_tree_workloads();
std::vector<workload> wake_workloads();

/// `count` at this scale, at least 1.
inline int scaled(int count, double scale) {
  const int at_scale = static_cast<int>(static_cast<double>(count) * scale);
  return at_scale > 1 ? at_scale : 1;
}

}  // namespace mailroom::tests::bench
