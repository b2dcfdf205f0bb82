// What a connector does for those who find servers when they are needed.

#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/outbound_session.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::rpc {

/// Whether no server for it now means none.
bool connector::is_settled(const topic_servers& servers) const noexcept {
  return !servers.awaited.load(std::memory_order_relaxed) &&
         std::all_of(unsettled_.begin(), unsettled_.end(), [](const auto& each) {
           return !each.second.empty();
         });
}

// The first to be connected would get the first calls of every client, whatever the weights and
// keys.
bool connector::may_choose(topic_servers& servers, deadline until) {
  constexpr duration longest = std::chrono::milliseconds(250);
  const time_point now = loop_.now();
  const duration left = until.at() == time_point::max() ? duration::max() : until.at() - now;
  servers.choose_at = std::min(servers.choose_at, now + std::min(longest, left / 4));
  servers.may_choose = is_settled(servers) || now >= servers.choose_at;
  if (!servers.may_choose) {
    watch_deadline(deadline(servers.choose_at));
  }
  return servers.may_choose;
}

void connector::route_those_that_may_choose() {
  const time_point now = loop_.now();
  const auto held = [&](const ref<pending_call>& call) {
    return is_held(*call->what.servers) && call->what.servers->choose_at <= now;
  };
  if (std::none_of(waiting_.begin(), waiting_.end(), held)) {
    return;
  }
  auto again = std::exchange(waiting_, {});
  for (auto& each : again) {
    let_go(*each);
  }
  for (auto& each : again) {
    route(std::move(each));
  }
}

/// One that goes to all servers waits until they are known.
bool connector::waits_for_servers(const ref<pending_call>& fanout) {
  if (!fanout->what.servers->awaited.load(std::memory_order_relaxed)) {
    return false;
  }
  wait_for_server(fanout);
  return true;
}

void connector::set_awaited(const std::string& exchange, const std::string& topic, bool is) {
  topic_servers* servers = nullptr;
  {
    const std::lock_guard lock(names_mutex_);
    const auto at = topic_index_.find({exchange, topic});
    if (at == topic_index_.end()) {
      return;
    }
    servers = at->second;
  }
  servers->awaited.store(is, std::memory_order_release);
  if (is) {
    return;
  }
  std::deque<ref<pending_call>> ended;
  for (auto& each : std::exchange(waiting_, {})) {
    (each->what.servers == servers ? ended : waiting_).push_back(std::move(each));
  }
  for (auto& each : ended) {
    let_go(*each);
    route(std::move(each));
  }
}

void connector::forget(const std::string& address, const error& why) {
  unsettled_.erase(address);
  close_session(address, why);
}

}  // namespace mailroom::rpc
