// What became of every message, as a node counts it.

#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/wire/body.hpp>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom {
namespace {

using fields = std::vector<std::pair<std::string_view, std::uint64_t>>;

std::uint64_t read(const std::atomic<std::uint64_t>& counter) noexcept {
  return counter.load(std::memory_order_relaxed);
}

// Messages, and the states that each ends in; what is neither ended nor open is the difference. It
// is not 0 for a moment while counters are read that others write.
void pack(msgpack::packer<wire::buffer>& out,
          std::uint64_t messages,
          const fields& states,
          const fields& more) {
  auto left = static_cast<std::int64_t>(messages);
  out.pack_map(static_cast<std::uint32_t>(2 + states.size() + more.size()));
  out.pack("messages");
  out.pack(messages);
  for (const auto& [name, count] : states) {
    out.pack(name);
    out.pack(count);
    left -= static_cast<std::int64_t>(count);
  }
  out.pack("difference");
  out.pack(left);
  for (const auto& [name, count] : more) {
    out.pack(name);
    out.pack(count);
  }
}

}  // namespace

wire::buffer running_node::ledger() const {
  wire::buffer written;
  msgpack::packer<wire::buffer> out(written);
  out.pack_map(3);
  out.pack("node");
  out.pack(options_.name);
  const auto& calls = connector_->counts();
  // What was never sent is a message too. First those that end, lest one is missed that ends
  // meanwhile.
  const std::uint64_t told = read(calls.told);
  const std::uint64_t answered = read(calls.answered);
  const std::uint64_t failed = read(calls.failed);
  const std::uint64_t refused = read(calls.refused);
  const std::uint64_t busy = read(calls.busy);
  const std::uint64_t unroutable = read(calls.unroutable);
  const std::uint64_t expired = read(calls.expired);
  const std::uint64_t expired_unsent = read(calls.expired_unsent);
  const std::uint64_t lost = read(calls.lost);
  const std::uint64_t cancelled = read(calls.cancelled);
  const std::uint64_t cancelled_unsent = read(calls.cancelled_unsent);
  const std::uint64_t open = read(calls.out);
  const std::uint64_t sent = read(calls.sent);
  out.pack("out");
  pack(out,
       sent + busy + unroutable + expired_unsent + cancelled_unsent,
       {{"told", told},
        {"handled", answered - failed - refused},
        {"failed", failed},
        {"expired", expired},
        {"busy", busy + refused},
        {"unroutable", unroutable},
        {"lost", lost},
        {"cancelled", cancelled},
        {"duplicate", 0},
        {"open", open}},
       {{"sent", sent}, {"retried", read(calls.retried)}, {"late", read(calls.late)}});

  rpc::activation::counters ended;
  std::uint64_t waiting = 0;
  dispatcher_.each([&](const target&, std::span<rpc::activation* const> instances, std::uint32_t) {
    for (const auto* each : instances) {
      const auto& of = each->counts();
      ended.answered += read(of.answered);
      ended.failed += read(of.failed);
      ended.expired += read(of.expired);
      ended.refused += read(of.refused) + read(of.dropped);
      ended.cancelled += read(of.cancelled);
      waiting += each->queued() + each->running();
    }
  });
  using in = rpc::inbound_counters;
  const auto arrived = [this](std::atomic<std::uint64_t> in::*of) {
    std::uint64_t all = 0;
    for (const auto& each : data_) {
      all += read(each.server->counts().*of);
    }
    return all;
  };
  const std::uint64_t late = arrived(&in::expired);
  const std::uint64_t nowhere = arrived(&in::unroutable);
  out.pack("in");
  pack(out,
       arrived(&in::calls) + arrived(&in::casts),
       {{"told", 0},
        {"handled", read(ended.answered)},
        {"failed", read(ended.failed)},
        {"expired", late + read(ended.expired)},
        {"busy", arrived(&in::refused) - late - nowhere + read(ended.refused)},
        {"unroutable", nowhere},
        {"lost", 0},
        {"cancelled", arrived(&in::cancelled) + read(ended.cancelled)},
        {"duplicate", arrived(&in::duplicate)},
        {"open", waiting}},
       {});
  return written;
}

}  // namespace mailroom
