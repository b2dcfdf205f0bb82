#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/control_server.hpp>
#include <mailroom/framework/rpc/control_session.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace mailroom::rpc {

control_server::control_server(executors::event_loop& loop,
                               platform& host,
                               session_table& sessions,
                               identity self,
                               std::function<void(const session_id&)> ended)
    : loop_(loop),
      host_(host),
      sessions_(sessions),
      self_(std::move(self)),
      ended_(std::move(ended)),
      alarm_(loop, [this] { look_for_dead(); }) {}

control_server::~control_server() = default;

link_observer* control_server::on_accept(link& opened) noexcept {
  stood_still();  // Before it begins, or it would end with those of before.
  auto made = std::make_unique<session>(*this, opened);
  auto* observer = made.get();
  links_.emplace(observer, std::move(made));
  watch(observer->heard() + missed_until_dead * self_.heartbeat);
  return observer;
}

void control_server::set_topics(std::vector<wire::topic_home> topics) {
  topics_ = std::move(topics);
  for (auto& [key, each] : links_) {
    each->tell_topics();
  }
}

std::vector<control_server::peer_state> control_server::peers() const {
  std::vector<peer_state> all;
  for (const auto& [key, each] : links_) {
    if (each->greeted() && !each->finished()) {
      all.push_back({each->node(), std::string(each->peer_address()), each->loops()});
    }
  }
  return all;
}

void control_server::set_stuck(const wire::stuck& what) {
  stuck_ = what;
  for (auto& [key, each] : links_) {
    each->tell_stuck();
  }
}

bool control_server::stood_still() {
  return awake_ != nullptr && awake_->pass(host_.now());
}

void control_server::end_all(duration stood_still) {
  log::warn("stood_still", {{"for", stood_still}, {"sessions_ended", links_.size()}});
  std::vector<session*> all;
  for (auto& [key, each] : links_) {
    all.push_back(each.get());
  }
  for (session* each : all) {
    each->end(false);
  }
}

std::vector<session_id> control_server::go_away(const std::string& reason, duration until) {
  draining_ = true;
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(until).count();
  std::vector<session_id> told;
  for (auto& [key, each] : links_) {
    if (each->tell_go_away(
            {reason, static_cast<std::uint32_t>(std::max<std::int64_t>(limit, 0))})) {
      told.push_back(each->id());
    }
  }
  return told;
}

void control_server::close() noexcept {
  alarm_.off();
  auto links = std::exchange(links_, {});
  for (auto& [key, each] : links) {
    each->close(true);
    sessions_.close(each->id());
  }
}

void control_server::gone(session& ended) noexcept {
  const auto at = links_.find(&ended);
  if (at == links_.end()) {
    return;
  }
  const auto kept = std::move(at->second);
  links_.erase(at);
  if (kept->greeted()) {
    sessions_.close(kept->id());
    ended_(kept->id());
  }
}

void control_server::watch(time_point silent_at) noexcept {
  if (silent_at < watched_) {
    watched_ = silent_at;
    alarm_.set(silent_at);
  }
}

// One alarm for all: it rings when the first could be dead, and mostly finds that it was heard
// since.
void control_server::look_for_dead() {
  const time_point now = host_.now();
  const duration limit = missed_until_dead * self_.heartbeat;
  watched_ = time_point::max();
  std::vector<session*> dead;
  for (auto& [key, each] : links_) {
    if (now - each->heard() >= limit) {
      dead.push_back(each.get());
    } else {
      watch(each->heard() + limit);
    }
  }
  for (session* each : dead) {
    if (each->finished()) {
      gone(*each);
      continue;
    }
    log::warn_limited(
        each->log_group(),
        "peer_lost",
        {{"node", each->node()}, {"peer", each->peer_address()}, {"silent", now - each->heard()}});
    each->end(false);
  }
}

wire::identity control_server::random_identity() {
  wire::identity id;
  host_.random(id);
  return id;
}

}  // namespace mailroom::rpc
