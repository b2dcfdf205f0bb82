// What became of every message, as a node counts it.

#include <mailroom/services/host/node_impl.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <utility>

namespace mailroom {
namespace {

std::int64_t read(const std::atomic<std::uint64_t>& counter) noexcept {
  return static_cast<std::int64_t>(counter.load(std::memory_order_relaxed));
}

// What is in none of the states is the difference. It is not 0 for a moment while counters are read
// that others write.
ledger::account settled(std::int64_t messages, ledger::account states) {
  std::int64_t left = messages;
  for (const auto& [name, count] : states) {
    left -= count;
  }
  states["messages"] = messages;
  states["difference"] = left;
  return states;
}

void give_up_open(ledger::account& of) {
  of["cancelled"] += std::exchange(of["open"], 0);
}

}  // namespace

std::uint64_t running_node::counted_for() const {
  const auto lived = std::chrono::duration_cast<std::chrono::milliseconds>(host_.now() - started_);
  return static_cast<std::uint64_t>(lived.count());
}

ledger running_node::counted() const {
  ledger all;
  const auto& calls = connector_->counts();
  // What was never sent is a message too. First those that end, lest one is missed that ends
  // meanwhile.
  const auto told = read(calls.told);
  const auto answered = read(calls.answered);
  const auto failed = read(calls.failed);
  const auto refused = read(calls.refused);
  const auto busy = read(calls.busy);
  const auto unroutable = read(calls.unroutable);
  const auto expired = read(calls.expired);
  const auto expired_unsent = read(calls.expired_unsent);
  const auto lost = read(calls.lost);
  const auto cancelled = read(calls.cancelled);
  const auto cancelled_unsent = read(calls.cancelled_unsent);
  const auto open = read(calls.out);
  const auto sent = read(calls.sent);
  all.out = settled(sent + busy + unroutable + expired_unsent + cancelled_unsent,
                    {{"told", told},
                     {"handled", answered - failed - refused},
                     {"failed", failed},
                     {"expired", expired},
                     {"busy", busy + refused},
                     {"unroutable", unroutable},
                     {"lost", lost},
                     {"cancelled", cancelled},
                     {"duplicate", 0},
                     {"open", open}});
  all.out.insert({{"sent", sent}, {"retried", read(calls.retried)}, {"late", read(calls.late)}});

  // What is lost, and a cast that is only told, are so to who sent them.
  ledger::account ended{{"told", 0},
                        {"handled", 0},
                        {"failed", 0},
                        {"expired", 0},
                        {"busy", 0},
                        {"lost", 0},
                        {"cancelled", 0},
                        {"open", 0}};
  dispatcher_.each([&](const target&, std::span<rpc::activation* const> instances, std::uint32_t) {
    for (const auto* each : instances) {
      const auto& of = each->counts();
      ended["handled"] += read(of.answered);
      ended["failed"] += read(of.failed);
      ended["expired"] += read(of.expired);
      ended["busy"] += read(of.refused) + read(of.dropped);
      ended["cancelled"] += read(of.cancelled);
      ended["open"] += static_cast<std::int64_t>(each->queued() + each->running());
    }
  });
  using in = rpc::inbound_counters;
  const auto arrived = [this](std::atomic<std::uint64_t> in::*of) {
    std::int64_t sum = 0;
    for (const auto& each : data_) {
      sum += read(each.server->counts().*of);
    }
    return sum;
  };
  const auto late = arrived(&in::expired);
  const auto nowhere = arrived(&in::unroutable);
  ended["expired"] += late;
  ended["busy"] += arrived(&in::refused) - late - nowhere;
  ended["cancelled"] += arrived(&in::cancelled);
  ended["unroutable"] = nowhere;
  ended["duplicate"] = arrived(&in::duplicate);
  all.in = settled(arrived(&in::calls) + arrived(&in::casts), std::move(ended));
  return all;
}

ledger running_node::final_ledger() const {
  ledger all = counted();
  give_up_open(all.out);
  give_up_open(all.in);
  return all;
}

}  // namespace mailroom
