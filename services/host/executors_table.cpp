// What `executor ls` shows.

#include <mailroom/services/host/node_impl.hpp>
#include <mailroom/services/host/pack_field.hpp>

#include <mailroom/framework/wire/body.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace mailroom {
namespace {

// How far back the busy share looks, and in which steps.
constexpr std::size_t busy_samples = 10;
constexpr duration between_samples = std::chrono::seconds(1);

struct row {
  executors::statistics of;
  std::size_t endpoints = 0;
  std::size_t calls = 0;
  double busy_share = 0;
};

void write(packer& out, const row& each) {
  const auto longest = std::chrono::duration_cast<std::chrono::microseconds>(each.of.longest_turn);
  out.pack_map(16);
  field(out, "name", each.of.name);
  field(out, "policy", each.of.policy);
  field(out, "threads", each.of.threads);
  field(out, "spares", each.of.spares);
  field(out, "endpoints", each.endpoints);
  field(out, "queued", each.of.queued);
  field(out, "queued_calls", each.calls);
  field(out, "busy_share", std::min(each.busy_share, 1.0));
  field(out, "turns", each.of.turns);
  field(out, "steals", each.of.steals);
  field(out, "parks", each.of.parks);
  field(out, "wakeups", each.of.wakeups);
  field(out, "hops", each.of.hops);
  field(out, "longest_turn_us", longest.count());
  field(out, "stuck", each.of.stuck);
  field(out, "stuck_turns", each.of.stuck_turns);
}

double share(duration busy, duration of, std::size_t threads) {
  return of <= duration::zero() || threads == 0
             ? 0.0
             : std::chrono::duration<double>(busy) / std::chrono::duration<double>(of) /
                   static_cast<double>(threads);
}

}  // namespace

void running_node::note_busy(time_point now) {
  if (now - busy_noted_ < between_samples) {
    return;
  }
  busy_noted_ = now;
  const std::lock_guard lock(endpoints_mutex_);
  for (const auto& [name, each] : executors_) {
    auto& seen = busy_[name];
    seen.emplace_back(now, each->stats().busy);
    if (seen.size() > busy_samples) {
      seen.pop_front();
    }
  }
}

wire::buffer running_node::executors_table() {
  const std::lock_guard lock(endpoints_mutex_);
  std::map<std::string, row> rows;
  dispatcher_.each([&](const target&, std::span<rpc::activation* const> instances, std::uint32_t) {
    for (const auto* each : instances) {
      row& at = rows[each->executor_name()];
      ++at.endpoints;
      at.calls += each->queued();
    }
  });
  const time_point now = host_.now();
  const auto pool = pool_.stats();
  wire::buffer written;
  packer out(written);
  out.pack_array(static_cast<std::uint32_t>(executors_.size() + (pool.threads != 0 ? 1 : 0)));
  for (const auto& [name, executor] : executors_) {
    row& each = rows[name];
    each.of = executor->stats();
    const auto known = busy_.find(name);
    const auto [since, busy] = known == busy_.end() || known->second.empty()
                                   ? std::pair(started_, duration::zero())
                                   : known->second.front();
    each.busy_share = share(each.of.busy - busy, now - since, each.of.threads);
    write(out, each);
  }
  if (pool.threads != 0) {
    // No executor: it runs blocking handlers and offloaded functions, each once and to its end.
    row jobs;
    jobs.of.name = "blocking";
    jobs.of.policy = "blocking";
    jobs.of.threads = pool.threads;
    jobs.of.queued = pool.queued;
    jobs.busy_share = static_cast<double>(pool.running) / static_cast<double>(pool.threads);
    write(out, jobs);
  }
  return written;
}

}  // namespace mailroom
