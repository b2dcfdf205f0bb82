// Which of its servers a call goes to.

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/outbound_session.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>

namespace mailroom::rpc {
namespace {

constexpr std::int64_t most_shares = 1000;  // Of all servers of a topic, in one round.

std::uint32_t weight_of(const outbound_link& server) noexcept {
  return server.session().info().labels.weight;
}

// More is worse.
std::uint64_t load_of(const outbound_link& server) noexcept {
  return (std::uint64_t{server.in_flight()} + 1) * node_labels::most_weight /
         std::max(weight_of(server), 1U);
}

}  // namespace

outbound_link* connector::find_server(pending_call& call) {
  outbound_link* const to = pick(call);
  return to == nullptr || has_room(*to, call) ? to : find_room(call, *to);
}

outbound_link* connector::find_room(pending_call& call, const outbound_link& full) {
  if (call.server.empty()) {
    for (outbound_link* each : call.what.servers->ready) {
      if (has_room(*each, call) && !was_tried(call, *each)) {
        return each;
      }
    }
  }
  fail_as_busy(full, call);
  return nullptr;
}

bool connector::has_room(const outbound_link& to, const pending_call& call) const noexcept {
  return (call.how != pending_call::kind::call || to.in_flight() < to.session().info().in_flight) &&
         to.backlog() <= limits_.backlog;
}

void connector::fail_as_busy(const outbound_link& to, pending_call& call) {
  const char* const why =
      to.backlog() > limits_.backlog ? "too many bytes wait for " : "too many unanswered calls to ";
  counters_.busy.fetch_add(1, std::memory_order_relaxed);
  end(call,
      error(errc::busy, execution::not_run, why + to.session().info().address)
          .with_retry_after(std::chrono::milliseconds(10)));
}

outbound_link* connector::pick(const pending_call& call) {
  topic_servers& servers = *call.what.servers;
  if (!servers.known) {
    look_up(servers);
  }
  if (servers.ready.empty() || (!servers.may_choose && !may_choose(servers, call.until))) {
    return nullptr;
  }
  if (call.among != balance::round_robin || call.attempt != 0 || someone_rests_ ||
      !call.server.empty()) {
    return choose(servers, call);
  }
  const auto& order = servers.shares.empty() ? servers.ready : servers.shares;
  if (servers.turn >= order.size()) {
    servers.turn = 0;
  }
  return order[servers.turn++];
}

outbound_link* connector::choose(topic_servers& servers, const pending_call& call) {
  if (someone_rests_ && loop_.now() >= rests_until_) {
    someone_rests_ = false;
  }
  list_candidates(servers, call, call.attempt == 0);
  if (candidates_.empty() && call.keyed) {
    list_candidates(servers, call, true);
  }
  if (candidates_.size() <= 1) {
    return candidates_.empty() ? nullptr : candidates_.front();
  }
  switch (call.among) {
    case balance::least_in_flight:
      return candidates_[least_of_two(
          dice_, candidates_.size(), [this](std::size_t i) { return load_of(*candidates_[i]); })];
    case balance::by_key:
      if (call.spread_by != 0) {
        return by_key(servers, call);
      }
      break;
    case balance::round_robin: break;
  }
  for (std::size_t i = 0; i < servers.shares.size(); ++i) {
    outbound_link* const next = servers.shares[(servers.turn + i) % servers.shares.size()];
    if (std::find(candidates_.begin(), candidates_.end(), next) != candidates_.end()) {
      servers.turn += i + 1;
      return next;
    }
  }
  return candidates_[servers.turn++ % candidates_.size()];
}

// At most half of the servers are passed over: if more are in trouble, the trouble is another.
void connector::list_candidates(const topic_servers& servers,
                                const pending_call& call,
                                bool tried_too) {
  candidates_.clear();
  const time_point now = loop_.now();
  std::size_t may_rest = servers.ready.size() / 2;
  outbound_link* rests = nullptr;
  for (outbound_link* each : servers.ready) {
    if (!tried_too && was_tried(call, *each)) {
      continue;
    }
    if (!call.server.empty()) {
      if (each->session().info().node != call.server) {
        continue;
      }
    } else if (may_rest > 0 && someone_rests_ && each->session().health().rests(now)) {
      --may_rest;
      rests = each;
      continue;
    }
    candidates_.push_back(each);
  }
  if (candidates_.empty() && rests != nullptr) {
    candidates_.push_back(rests);  // Better than none.
  }
  if (call.server.empty() && std::any_of(candidates_.begin(),
                                         candidates_.end(),
                                         [](const auto* each) { return weight_of(*each) != 0; })) {
    std::erase_if(candidates_, [](const auto* each) { return weight_of(*each) == 0; });
  }
  if (call.server.empty() && call.among != balance::by_key) {
    keep_near(candidates_);
  }
}

bool connector::is_near(const outbound_link& server) const noexcept {
  return server.session().info().labels.zone == zone_;
}

// A weight of 0 says that others are to be called, wherever they are.
void connector::keep_near(std::vector<outbound_link*>& servers) const {
  const auto is_wanted = [this](const outbound_link* each) {
    return is_near(*each) && weight_of(*each) != 0;
  };
  if (!zone_.empty() && std::any_of(servers.begin(), servers.end(), is_wanted)) {
    std::erase_if(servers, [&](const outbound_link* each) { return !is_near(*each); });
  }
}

// Smooth weighted round robin (nginx): the shares of a heavy server are spread among the others'.
void connector::share_out(topic_servers& servers) const {
  servers.shares.clear();
  auto among = servers.ready;
  keep_near(among);
  std::vector<std::int64_t> weights;
  for (const auto* each : among) {
    weights.push_back(weight_of(*each));
  }
  if (std::adjacent_find(weights.begin(), weights.end(), std::not_equal_to<>()) == weights.end()) {
    if (among.size() != servers.ready.size()) {
      servers.shares = std::move(among);
    }
    return;
  }
  std::int64_t total = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  std::int64_t common = 0;
  for (std::int64_t& each : weights) {
    if (total > most_shares && each != 0) {
      each = std::max<std::int64_t>(each * most_shares / total, 1);
    }
    common = std::gcd(common, each);
  }
  total = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  std::vector<std::int64_t> due(weights.size(), 0);
  for (std::int64_t i = 0; i < total / common; ++i) {
    std::transform(due.begin(), due.end(), weights.begin(), due.begin(), std::plus<>());
    const auto next = std::max_element(due.begin(), due.end());
    *next -= total;
    servers.shares.push_back(among[static_cast<std::size_t>(next - due.begin())]);
  }
}

outbound_link* connector::by_key(topic_servers& servers, const pending_call& call) {
  if (!servers.ring) {
    std::vector<std::string_view> names;
    names.reserve(servers.ready.size());
    for (const outbound_link* each : servers.ready) {
      const session_info& peer = each->session().info();
      names.push_back(peer.node.empty() ? peer.address : peer.node);
    }
    servers.ring = std::make_unique<const hash_ring>(names);
  }
  std::size_t in_flight = 0;
  for (const outbound_link* each : candidates_) {
    in_flight += each->in_flight();
  }
  const std::size_t most = bounded_load(in_flight, candidates_.size());
  return servers.ready[servers.ring->pick(call.spread_by, [&](std::size_t i) {
    outbound_link* const one = servers.ready[i];
    return one->in_flight() < most &&
           std::find(candidates_.begin(), candidates_.end(), one) != candidates_.end();
  })];
}

bool connector::was_tried(const pending_call& call, const outbound_link& at) noexcept {
  return std::find(call.tried.begin(), call.tried.end(), at.session().number()) != call.tried.end();
}

bool connector::others_than_tried(const pending_call& call, const outbound_link& last) noexcept {
  const auto& ready = call.what.servers->ready;
  return std::any_of(ready.begin(), ready.end(), [&](const outbound_link* each) {
    return &each->session() != &last.session() && !was_tried(call, *each);
  });
}

// ---------------------------------------------------------------- servers in trouble

server_health& connector::health_of(const std::string& address) {
  constexpr std::size_t many = 1024;
  if (health_.size() >= many) {
    std::erase_if(health_, [this](const auto& each) {
      return !sessions_.contains(each.first) && !each.second.rests(host_.now());
    });
  }
  return health_[address];
}

void connector::note_failure(const outbound_link& at, bool only_busy) {
  server_health& health = at.session().health();
  const time_point now = loop_.now();
  if (!health.failed(now, only_busy)) {
    return;
  }
  someone_rests_ = true;
  rests_until_ = std::max(rests_until_, health.rests_until());
  const auto is_one_of_several = [&](const topic_servers& each) {
    return each.ready.size() > 1 &&
           std::any_of(each.ready.begin(), each.ready.end(), [&](const outbound_link* by) {
             return &by->session() == &at.session();
           });
  };
  const std::lock_guard lock(names_mutex_);
  if (std::none_of(topics_.begin(), topics_.end(), is_one_of_several)) {
    return;  // Without another it gets its calls all the same.
  }
  const std::string& address = at.session().info().address;
  log::warn_limited(address,
                    "server_passed_over",
                    {{"peer", address},
                     {"node", at.session().info().node},
                     {"for", health.rests_until() - now},
                     {"reason", only_busy ? "busy for a while" : "its calls fail in a row"}});
}

}  // namespace mailroom::rpc
