// What libzmq reports about connections of a router, and what is said about those of strangers.

#include <mailroom/transports/zmq/router.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <sys/socket.h>

#include <utility>

namespace mailroom::transports::zmq {
namespace {

constexpr const char* unfinished = "not finished";
constexpr const char* not_ours = "not the protocol expected";

}  // namespace

void router::read_monitor() {
  while (const auto seen = monitor_->next()) {
    switch (seen->what) {
      case ZMQ_EVENT_ACCEPTED:
        gone_unknown_.erase(seen->value);
        on_accepted(seen->value);
        break;
      case ZMQ_EVENT_DISCONNECTED: on_disconnected(seen->value); break;
      case ZMQ_EVENT_CLOSED: break;
      default:
        ++socket_.of().counts().handshakes_failed;
        failed_handshake_ =
            seen->what == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL ? unfinished : not_ours;
        break;
    }
  }
  if (monitor_watch_) {
    monitor_watch_->arm();
  }
}

// Two reports of one connection follow each other: what was wrong, then which descriptor it had.
void router::tell_of_stranger(std::string_view peer) {
  const char* const why = std::exchange(failed_handshake_, nullptr);
  if (why == nullptr) {
    return;
  }
  if (std::string_view(why) == unfinished) {
    // A port scan, or a peer whose link was cut and told of already: counted, but no news.
    log::debug("handshake_failed", {{"listen", address_}, {"peer", peer}, {"reason", why}});
    return;
  }
  // One that had gone before its address could be read counts as the host that came last: without
  // an address of its own a flood would have its lines twice. Before anybody is known there is no
  // such host.
  if (peer.empty() && last_host_.empty()) {
    ++failed_before_any_host_;
    return;
  }
  log::warn_limited(peer.empty() ? std::string_view(last_host_) : host_of(peer),
                    "handshake_failed",
                    {{"listen", address_}, {"peer", peer}, {"reason", why}});
}

void router::on_accepted(int descriptor) {
  std::string& peer = strangers_[descriptor];
  peer = peer_of(descriptor);
  if (peer.empty()) {
    return;
  }
  last_host_ = host_of(peer);
  shed_if_last(descriptor, peer);
  for (; failed_before_any_host_ != 0; --failed_before_any_host_) {
    log::warn_limited(
        last_host_, "handshake_failed", {{"listen", address_}, {"peer", ""}, {"reason", not_ours}});
  }
}

// Without descriptors libzmq would try to accept without pause for as long as somebody waits, and
// nothing else of the process could open anything. The number may be of another connection by now,
// but not of one that is not ours.
void router::shed_if_last(int descriptor, std::string_view peer) const {
  if (nearly_out_of_descriptors(descriptor) && is_accepted_at(descriptor, bound_)) {
    ::shutdown(descriptor, SHUT_RDWR);
    log::warn_limited(host_of(peer),
                      "out_of_descriptors",
                      {{"listen", address_}, {"refused", peer}, {"descriptor", descriptor}});
  }
}

void router::on_disconnected(int descriptor) {
  auto stranger = strangers_.extract(descriptor);
  std::string peer = stranger.empty() ? std::string() : std::move(stranger.mapped());
  tell_of_stranger(peer);
  const auto found = by_descriptor_.find(descriptor);
  if (found == by_descriptor_.end()) {
    gone_unknown_[descriptor] = std::move(peer);
    return;
  }
  router_link& one = *found->second;
  by_descriptor_.erase(found);
  mark_dying(one);
}

}  // namespace mailroom::transports::zmq
