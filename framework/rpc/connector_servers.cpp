// Which server a call goes to, and what happens when that changes.

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/outbound_session.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

constexpr std::chrono::milliseconds look_again_after(250);

error lost_with(const outbound_session& ended, const error& why) {
  return error(errc::lost,
               "the connection to " + ended.info().address + " ended: " +
                   std::string(why.message().empty() ? to_string(why.code()) : why.message()));
}

}  // namespace

void connector::route(ref<pending_call> call) {
  if (call->done()) {
    return;  // Nobody wants it any more.
  }
  if (closed_) {
    end(*call, error(errc::cancelled, execution::not_run, "this node is stopping"));
    return;
  }
  if (call->until.passed(loop_.now())) {
    end_expired_unsent(*call, false);
    return;
  }
  if (call->how == pending_call::kind::fanout) {
    if (!waits_for_servers(call)) {
      fan_out(*call);
    }
    return;
  }
  if (outbound_link* to = find_server(*call)) {
    send(*to, *call);
    return;
  }
  if (call->done()) {
    return;
  }
  topic_servers& servers = *call->what.servers;
  if (is_held(servers) && !may_choose(servers, call->until)) {
    wait_for_server(std::move(call));
    return;
  }
  if (only_stuck_serve(*call)) {
    counters_.busy.fetch_add(1, std::memory_order_relaxed);
    end(*call,
        error(errc::busy,
              execution::not_run,
              "topic '" + call->what.names.topic +
                  "' is stuck wherever it is served: no call that waits there is started")
            .with_retry_after(look_again_after));
    return;
  }
  const bool settled = is_settled(servers);
  if (settled && !call->wait_for_ready) {
    if (call->attempt != 0) {
      if (!wait_for_return(call)) {
        end(*call, error(*call->failure));
      }
      return;
    }
    counters_.unroutable.fetch_add(1, std::memory_order_relaxed);
    call->fail(no_server(*call));
    return;
  }
  wait_for_server(std::move(call));
}

void connector::wait_for_server(ref<pending_call> call) {
  if (!hold(*call)) {
    end(*call,
        error(errc::busy, execution::not_run, "too many bytes wait for a server")
            .with_retry_after(std::chrono::milliseconds(10)));
    return;
  }
  watch_deadline(call->until);
  waiting_.push_back(std::move(call));
}

void connector::fan_out(pending_call& call) {
  if (!call.what.servers->known) {
    look_up(*call.what.servers);
  }
  counters_.busy.fetch_add(call.what.servers->stuck, std::memory_order_relaxed);
  if (call.what.servers->count.load(std::memory_order_relaxed) == 0) {
    counters_.unroutable.fetch_add(1, std::memory_order_relaxed);
  }
  std::optional<error> failed;
  for (outbound_link* each : call.what.servers->ready) {
    if (each->backlog() > limits_.backlog) {
      counters_.busy.fetch_add(1, std::memory_order_relaxed);
    } else if (auto why = write(*each, call)) {
      failed = std::move(why);
    }
  }
  if (failed) {
    call.fail(*std::move(failed));
  } else {
    call.complete();
  }
}

bool connector::only_stuck_serve(const pending_call& call) const {
  const topic_servers& servers = *call.what.servers;
  if (servers.stuck == 0) {
    return false;
  }
  return call.server.empty() ||
         std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& each) {
           return each.second->info().node == call.server &&
                  each.second->is_stuck(servers.exchange, servers.topic);
         });
}

error connector::no_server(const pending_call& call) const {
  std::string message = "no server for topic '" + call.what.names.topic + "'";
  if (!call.server.empty()) {
    message += " named '" + call.server + "'";
  }
  if (call.what.names.exchange != target{}.exchange) {
    message += " in exchange '" + call.what.names.exchange + "'";
  }
  if (const std::string near = nearest_topic(call.what.names); !near.empty()) {
    message += " (nearest: " + near + ")";
  }
  for (const auto& [address, why] : unsettled_) {
    message += "; " + address + ": " + why;
  }
  if (!explanation_.empty()) {
    message += "; no directory is reached: " + explanation_;
  }
  return error(errc::no_server, message);
}

std::string connector::nearest_topic(const wire::route& names) const {
  std::set<std::string> served;
  for (const auto& [address, session] : sessions_) {
    for (const auto& each : session->info().topics) {
      if (each.exchange == names.exchange) {
        served.insert(each.topic);
      }
    }
  }
  const std::vector<std::string> all(served.begin(), served.end());
  std::string near = nearest(names.topic, all);
  return near == names.topic ? std::string() : near;
}

void connector::look_up(topic_servers& servers) {
  if (!std::exchange(servers.known, true)) {
    servers.turn = dice_.roll() % 1'000'000;  // Or the first calls of all clients go to the same.
  }
  servers.ready.clear();
  servers.ring.reset();
  servers.stuck = 0;
  std::set<wire::identity> seen;  // One process may have two addresses.
  for (const auto& [address, session] : sessions_) {
    outbound_link* const by = session->link_to(servers.exchange, servers.topic);
    // It may be so since before it could answer on its data link.
    const bool is_stuck = session->is_stuck(servers.exchange, servers.topic);
    const auto& incarnation = session->info().incarnation;
    if ((by == nullptr && !is_stuck) ||
        (incarnation != wire::identity{} && !seen.insert(incarnation).second)) {
      continue;
    }
    if (is_stuck) {
      ++servers.stuck;
    } else {
      servers.ready.push_back(by);
    }
  }
  share_out(servers);
  servers.count.store(servers.ready.size() + servers.stuck, std::memory_order_release);
}

void connector::servers_changed() {
  {
    const std::lock_guard lock(names_mutex_);
    for (auto& each : topics_) {
      look_up(each);
    }
  }
  auto again = std::exchange(waiting_, {});
  for (auto& each : again) {
    let_go(*each);
  }
  for (auto& each : again) {
    route(std::move(each));
  }
}

// ---------------------------------------------------------------- sessions

void connector::open_session(transport& over, session_info agreed, session_watch watch) {
  const std::string address = agreed.address;
  close_session(address, error(errc::lost, "the session with " + address + " was opened anew"));
  auto& session = sessions_[address];
  session = std::make_unique<outbound_session>(*this, std::move(agreed), std::move(watch));
  if (const auto dialled = session->dial(over); !dialled) {
    ended(*session, dialled.error());
  }
}

void connector::close_session(const std::string& address, const error& why) {
  const auto at = sessions_.find(address);
  if (at == sessions_.end()) {
    return;
  }
  const auto closing = std::move(at->second);
  sessions_.erase(at);
  closing->close(false);
  fail_calls_of(*closing, why);
  servers_changed();
}

void connector::leave(const std::string& address) {
  if (const auto at = sessions_.find(address); at != sessions_.end()) {
    at->second->leave();
    servers_changed();
  }
}

void connector::left(const std::string& address, std::uint32_t number) {
  const auto at = sessions_.find(address);
  if (at == sessions_.end() || at->second->number() != number || !at->second->is_idle()) {
    return;
  }
  at->second->close(true);
  ended(*at->second, error(errc::lost, "it is stopping, and has answered all calls"));
}

void connector::ended(outbound_link& link, const error& why) {
  fail_calls_of(link, lost_with(link.session(), why));
  servers_changed();
}

void connector::ended(outbound_session& session, const error& why) {
  const auto at = sessions_.find(session.info().address);
  if (at == sessions_.end() || at->second.get() != &session) {
    return;
  }
  const auto closing = std::move(at->second);
  sessions_.erase(at);
  closing->close(false);
  fail_calls_of(*closing, lost_with(*closing, why));
  servers_changed();
  if (closing->watch()) {
    closing->watch()(closing->info().address, &why);
  }
}

void connector::fail_calls_of(const outbound_session& session, const error& why) {
  fail_calls_if([&](const outbound_link& by) { return &by.session() == &session; }, why);
}

void connector::fail_calls_of(const outbound_link& link, const error& why) {
  fail_calls_if([&](const outbound_link& by) { return &by == &link; }, why);
}

template <class Of>
void connector::fail_calls_if(const Of& of, const error& why) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].call && of(*slots_[i].to)) {
      const ref<pending_call> call = std::move(slots_[i].call);
      const outbound_link& at = *slots_[i].to;
      const bool was_sent = at.has_sent(slots_[i].written);
      free_slot(i);
      counters_.lost.fetch_add(1, std::memory_order_relaxed);
      note_failure(at, false);
      const error ended = was_sent
                              ? why
                              : error(why.code(),
                                      execution::not_run,
                                      std::string(why.message()) + "; the call had not been sent");
      if (!try_again(call, ended, at)) {
        end(*call, ended);
      }
    }
  }
}

void connector::update_topics(const std::string& address, std::vector<wire::topic_home> topics) {
  if (const auto at = sessions_.find(address); at != sessions_.end()) {
    at->second->set_topics(std::move(topics));
    servers_changed();
  }
}

void connector::update_clocks(const std::string& address, const wire::clock_relation& clocks) {
  if (const auto at = sessions_.find(address); at != sessions_.end()) {
    at->second->info().clocks = clocks;
  }
}

void connector::update_stuck(const std::string& address, const wire::stuck& what) {
  if (const auto at = sessions_.find(address); at != sessions_.end()) {
    at->second->set_stuck(what);
    servers_changed();
  }
}

void connector::expect(const std::string& address) {
  unsettled_[address] = {};
  unsettled_count_.fetch_add(1, std::memory_order_release);
}

void connector::settled(const std::string& address, const error* why) {
  if (why != nullptr) {
    unsettled_[address] = why->to_string();
  } else {
    unsettled_.erase(address);
  }
  const auto open = std::count_if(
      unsettled_.begin(), unsettled_.end(), [](const auto& each) { return each.second.empty(); });
  unsettled_count_.store(static_cast<std::size_t>(open), std::memory_order_release);
  servers_changed();
  if (open == 0 && when_settled_) {
    std::exchange(when_settled_, nullptr)();
  }
}

void connector::overdue(const std::string& address, const error& why) {
  const auto at = sessions_.find(address);
  if (at == sessions_.end() || !at->second->ready()) {
    settled(address, &why);
  }
}

void connector::when_settled(std::function<void()> tell) {
  if (unsettled_count_.load(std::memory_order_relaxed) == 0) {
    tell();
  } else {
    when_settled_ = std::move(tell);
  }
}

void connector::close() noexcept {
  closed_ = true;
  const error why(errc::cancelled, execution::may_have_run, "this node is stopping");
  auto sessions = std::exchange(sessions_, {});
  for (auto& [address, session] : sessions) {
    session->close(true);
    fail_calls_of(*session, why);
  }
  servers_changed();
}

}  // namespace mailroom::rpc
