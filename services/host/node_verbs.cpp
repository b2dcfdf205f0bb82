// What a node answers about itself on its control address.

#include <mailroom/services/host/node_impl.hpp>
#include <mailroom/services/host/pack_field.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/method.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <sys/resource.h>

#include <cstdio>
#include <utility>

namespace mailroom {
namespace {

const char* to_string(async::style how) {
  switch (how) {
    case async::style::plain: return "plain";
    case async::style::coroutine: return "coroutine";
    case async::style::suspending: return "suspending";
    case async::style::blocking: return "blocking";
  }
  return "unknown";
}

std::string hexadecimal(const wire::identity& id) {
  std::string text;
  for (const std::byte each : id) {
    static constexpr std::string_view digits = "0123456789abcdef";
    text += digits[static_cast<unsigned>(each) >> 4U];
    text += digits[static_cast<unsigned>(each) & 15U];
  }
  return text;
}

std::int64_t microseconds(duration length) {
  return std::chrono::duration_cast<std::chrono::microseconds>(length).count();
}

std::int64_t microseconds(const timeval& used) {
  return std::int64_t{used.tv_sec} * 1'000'000 + used.tv_usec;
}

// Of all instances together.
void fields_of_calls(packer& out, const std::vector<const rpc::activation*>& instances) {
  const auto sum = [&](const auto& of) {
    std::uint64_t all = 0;
    for (const auto* each : instances) {
      all += of(*each);
    }
    return all;
  };
  using counters = rpc::activation::counters;
  const auto counted = [&](std::atomic<std::uint64_t> counters::*which) {
    return sum([which](const auto& each) { return (each.counts().*which).load(); });
  };
  field(out, "queued", sum([](const auto& each) { return each.queued(); }));
  field(out, "running", sum([](const auto& each) { return each.running(); }));
  field(out, "started", counted(&counters::started));
  field(out, "answered", counted(&counters::answered));
  field(out, "failed", counted(&counters::failed));
  field(out, "expired", counted(&counters::expired));
  field(out, "refused", counted(&counters::refused));
  field(out, "dropped", counted(&counters::dropped));
  field(out, "cancelled", counted(&counters::cancelled));
}

}  // namespace

wire::buffer running_node::told_of_drain() const {
  wire::buffer told;
  wire::pack(told, std::tuple(options_.name, drained_->drained, drained_->left));
  return told;
}

void running_node::add_verbs() {
  control_server_->add_verb("describe",
                            [this](auto) -> result<wire::buffer> { return describe(); });
  control_server_->add_verb("executors",
                            [this](auto) -> result<wire::buffer> { return executors_table(); });
  control_server_->add_slow_verb(
      "place",
      [this](std::span<const std::byte> arguments, const rpc::control_server::answer& tell) {
        // [topic, executor, milliseconds that it may take]
        const auto asked =
            wire::unpack<std::tuple<std::string, std::string, std::uint32_t>>(arguments);
        if (!asked) {
          tell(error(errc::invalid_arguments, "place wants [topic, executor, limit_ms]"));
          return;
        }
        const auto& [topic, executor, limit] = *asked;
        move(topic, executor, std::chrono::milliseconds(limit), [tell](const result<void>& done) {
          if (!done) {
            tell(done.error());
            return;
          }
          wire::buffer nothing;
          packer(nothing).pack_nil();
          tell(std::move(nothing));
        });
      });
  control_server_->add_slow_verb(
      "drain", [this](std::span<const std::byte>, const rpc::control_server::answer& tell) {
        if (!options_.asked_to_drain) {
          tell(
              error(errc::denied, "the program of node '" + options_.name + "' ends it by itself"));
        } else if (drained_) {
          tell(told_of_drain());
        } else {
          log::info("asked_to_drain", {{"node", options_.name}});
          wait_for_drain_.push_back(tell);
          options_.asked_to_drain();
        }
      });
  control_server_->add_verb("peers", [this](auto) -> result<wire::buffer> { return peers(); });
  control_server_->add_verb("stats", [this](auto) -> result<wire::buffer> { return stats(); });
  control_server_->add_verb("ledger", [this](auto) -> result<wire::buffer> {
    const ledger all = counted();
    wire::buffer written;
    packer out(written);
    out.pack_map(4);
    field(out, "node", options_.name);
    field(out, "counted_ms", counted_for());
    field(out, "out", all.out);
    field(out, "in", all.in);
    return written;
  });
}

wire::buffer running_node::describe() {
  wire::buffer written;
  packer out(written);
  struct described {
    target at;
    std::vector<const rpc::activation*> instances;
    std::uint32_t loop;
  };
  std::vector<described> all;
  dispatcher_.each(
      [&](const target& at, std::span<rpc::activation* const> instances, std::uint32_t loop) {
        all.push_back({at, {instances.begin(), instances.end()}, loop});
      });
  out.pack_map(4);
  field(out, "node", options_.name);
  field(out, "incarnation", hexadecimal(incarnation_));
  field(out, "executor", options_.executor);
  out.pack("topics");
  out.pack_array(static_cast<std::uint32_t>(all.size()));
  for (const auto& [at, instances, loop] : all) {
    const auto* what = instances.front();
    const auto& others = what->definition().others;
    out.pack_map(21);
    field(out, "exchange", at.exchange);
    field(out, "topic", at.topic);
    field(out, "namespace", at.name_space);
    field(out, "version", at.version.empty() ? std::string("1.0") : at.version);
    field(out, "executor", what->executor_name());
    field(out, "loop", loop);
    field(out, "instances", instances.size());
    field(out, "sharing", to_string(others ? others->how : rpc::sharing::balanced));
    field(out, "queue_limit", what->definition().queue_limit);
    field(out, "queue_policy", to_string(what->definition().when_full));
    out.pack("load");
    out.pack_array(static_cast<std::uint32_t>(instances.size()));
    for (const auto* each : instances) {
      out.pack(each->queued() + each->running());
    }
    fields_of_calls(out, instances);
    out.pack("methods");
    out.pack_array(static_cast<std::uint32_t>(what->definition().methods.size()));
    for (const auto& method : what->definition().methods) {
      out.pack_map(3);
      field(out, "name", method->name());
      field(out, "style", std::string(to_string(method->how())));
      field(out, "idempotent", method->idempotent());
    }
  }
  return written;
}

// Those that this node calls, and those that call it.
wire::buffer running_node::peers() const {
  wire::buffer written;
  packer out(written);
  const auto loops = [&](const std::vector<wire::loop_state>& of) {
    out.pack("loops");
    out.pack_array(static_cast<std::uint32_t>(of.size()));
    for (const auto& each : of) {
      out.pack_map(2);
      field(out, "turns", each.turns);
      field(out, "oldest_queued_ms", each.oldest_queued_ms);
    }
  };
  out.pack_map(3);
  field(out, "node", options_.name);
  out.pack("calls");
  out.pack_array(static_cast<std::uint32_t>(peers_.size()));
  for (const auto& [address, peer] : peers_) {
    const auto state = peer->state();
    out.pack_map(5);
    field(out, "address", address);
    field(out, "node", state.node);
    field(out, "connected", state.connected);
    field(out, "why_not", state.why_not);
    loops(state.loops);
  }
  out.pack("called_by");
  const auto callers = control_server_->peers();
  out.pack_array(static_cast<std::uint32_t>(callers.size()));
  for (const auto& each : callers) {
    out.pack_map(3);
    field(out, "address", each.address);
    field(out, "node", each.node);
    loops(each.loops);
  }
  return written;
}

wire::buffer running_node::stats() const {
  wire::buffer written;
  packer out(written);
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  // Of all loops together.
  const auto arrived = [this](std::atomic<std::uint64_t> rpc::inbound_counters::*of) {
    std::uint64_t all = 0;
    for (const auto& each : data_) {
      all += (each.server->counts().*of).load(std::memory_order_relaxed);
    }
    return all;
  };
  using in = rpc::inbound_counters;
  const auto& calls = connector_->counts();
  const auto links = zmq_.stats();
  out.pack_map(26);
  field(out, "cpu_us", microseconds(used.ru_utime) + microseconds(used.ru_stime));
  field(out, "max_rss_bytes", std::int64_t{used.ru_maxrss} * 1024);
  field(out, "uptime_us", microseconds(host_.now() - started_));
  field(out, "peers", sessions_.attached());
  field(out, "frames_received", arrived(&in::frames));
  field(out, "calls_received", arrived(&in::calls));
  field(out, "casts_received", arrived(&in::casts));
  field(out, "expired_on_arrival", arrived(&in::expired));
  field(out, "refused", arrived(&in::refused));
  field(out, "duplicate", arrived(&in::duplicate));
  field(out, "cancelled_on_arrival", arrived(&in::cancelled));
  field(out, "garbage", arrived(&in::garbage));
  field(out, "cut_off", arrived(&in::cut_off));
  field(out, "handshakes_failed", links.handshakes_failed);
  field(out, "malformed_messages", links.malformed);
  field(out, "links_refused", links.refused);
  field(out, "log_lines_suppressed", log::suppressed_lines());
  field(out, "calls_sent", calls.sent.load());
  field(out, "answered", calls.answered.load());
  field(out, "expired", calls.expired.load());
  field(out, "lost", calls.lost.load());
  field(out, "late", calls.late.load());
  field(out, "cancelled", calls.cancelled.load());
  field(out, "retried", calls.retried.load());
  field(out, "busy", calls.busy.load());
  field(out, "unroutable", calls.unroutable.load());
  return written;
}

}  // namespace mailroom
