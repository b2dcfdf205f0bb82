// What one peer may say on its control link, and what it hears.

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/control_session.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::rpc {
namespace {

// Bytes of answers: a few of the largest.
constexpr std::size_t most_unread = std::size_t{64} << 20U;

}  // namespace

void control_server::session::on_frame(link&, wire::frame received) noexcept {
  if (server_.stood_still()) {
    return;  // This session has ended with the others.
  }
  heard_ = server_.host_.now();
  if (const auto good = read(received); !good) {
    const std::string peer(link_->peer_address());
    log::warn_limited(link_->log_group(),
                      "link_closed",
                      {{"peer", peer}, {"plane", "control"}, {"reason", good.error().message()}});
    end(!greeted_);
    return;
  }
  if (!cancels_.empty() && server_.cancelled_) {
    server_.cancelled_(id_, std::exchange(cancels_, {}));
  }
  if (writer_.backlog() > most_unread) {
    log::warn_limited(link_->log_group(),
                      "peer_cut_off",
                      {{"peer", link_->peer_address()},
                       {"plane", "control"},
                       {"node", node_},
                       {"unread_bytes", writer_.backlog()}});
    end(false);
    return;
  }
  if (finished_) {
    // Its data links end by themselves, in order: what it had sent before the bye may still be on
    // its way there. The session goes when the peer would have been called dead.
    close(true);
  }
}

void control_server::session::tell_topics() {
  if (greeted_ && !finished_ && !server_.draining_) {
    wire::write_announce(writer_.pending(), {server_.topics_});
    writer_.written();
  }
}

void control_server::session::tell_stuck() {
  if (greeted_ && !finished_) {
    wire::write_stuck(writer_.pending(), server_.stuck_);
    writer_.written();
  }
}

bool control_server::session::tell_go_away(const wire::goaway& what) {
  if (!greeted_ || finished_) {
    return false;
  }
  wire::write_goaway(writer_.pending(), what);
  writer_.written();
  return true;
}

void control_server::session::close(bool polite) noexcept {
  if (link_ == nullptr) {
    return;
  }
  if (polite && greeted_) {
    wire::write_bye(writer_.pending());
  }
  writer_.flush();
  writer_.close();
  std::exchange(link_, nullptr)->close(polite);
}

void control_server::session::end(bool polite) noexcept {
  close(polite);
  server_.gone(*this);
}

result<void> control_server::session::read(const wire::frame& received) {
  auto messages = wire::reader::open(received.bytes(), wire::plane::control);
  if (!messages) {
    if (received.size() >= wire::frame_head_size && received.bytes()[0] == std::byte{'M'} &&
        received.bytes()[1] == std::byte{'R'}) {
      refuse(errc::protocol_error, messages.error().message());
    }
    return messages.error();
  }
  wire::message each;
  for (;;) {
    const auto more = messages->next(each);
    if (!more) {
      return more.error();
    }
    if (!*more || finished_) {
      return {};
    }
    if (!greeted_ && each.what != wire::kind::hello) {
      return error(errc::protocol_error, "the first message of a control link must be hello");
    }
    if (const auto good = on_message(each); !good) {
      return good;
    }
  }
}

result<void> control_server::session::on_message(const wire::message& each) {
  switch (each.what) {
    case wire::kind::hello: return on_hello(each);
    case wire::kind::ping: return on_ping(each);
    case wire::kind::admin: return on_admin(each);
    case wire::kind::cancel: return on_cancel(each);
    case wire::kind::bye: finished_ = true; return {};
    default: return {};  // A newer peer's; PROTOCOL.md says to skip it.
  }
}

result<void> control_server::session::on_hello(const wire::message& received) {
  const auto hello = wire::read_hello(received);
  if (!hello) {
    return hello.error();
  }
  if (greeted_) {
    return error(errc::protocol_error, "hello twice on one link");
  }
  const auto version = wire::common_version(*hello);
  if (!version) {
    const std::string why = "speaks protocol versions " + std::to_string(hello->min) + " to " +
                            std::to_string(hello->max) + ", this node speaks " +
                            std::to_string(wire::protocol_version);
    refuse(errc::protocol_error, why);
    return error(errc::protocol_error, why);
  }
  greeted_ = true;
  node_ = hello->node;
  id_ = server_.random_identity();
  session_table::session opened;
  opened.node = node_;
  opened.began = server_.awake_ != nullptr ? server_.awake_->present() : vigil::none;
  wire::welcome answer;
  const auto knows = [&](std::string_view capability) {
    const bool known =
        std::find(hello->capabilities.begin(), hello->capabilities.end(), capability) !=
        hello->capabilities.end();
    if (known) {
      answer.capabilities.emplace_back(capability);
    }
    return known;
  };
  opened.credits = server_.self_.credit_bytes != 0 && knows(wire::credits_capability);
  opened.chunks = knows(wire::chunks_capability);
  answer.credit_bytes = opened.credits ? server_.self_.credit_bytes : 0;
  clocks_ = opened.relation;
  server_.sessions_.open(id_, std::move(opened));

  answer.version = *version;
  answer.node = server_.self_.node;
  answer.incarnation = server_.self_.incarnation;
  answer.session = id_;
  answer.echo = hello->time;
  answer.received = nanoseconds(heard_);
  const auto beat = std::chrono::duration_cast<std::chrono::milliseconds>(server_.self_.heartbeat);
  answer.heartbeat_ms = static_cast<std::uint32_t>(beat.count());
  answer.dead_after_ms = answer.heartbeat_ms * missed_until_dead;
  answer.max_frame = server_.self_.max_frame;
  answer.max_body = server_.self_.max_body;
  answer.in_flight = server_.self_.in_flight;
  answer.data = server_.data_;
  answer.topics = server_.draining_ ? std::vector<wire::topic_home>{} : server_.topics_;
  answer.sent = nanoseconds(server_.host_.now());
  wire::write_welcome(writer_.pending(), answer);
  writer_.written();
  if (server_.stuck_ != wire::stuck{}) {
    tell_stuck();
  }
  log::debug("peer_connected", {{"node", node_}, {"peer", link_->peer_address()}});
  return {};
}

result<void> control_server::session::on_ping(const wire::message& received) {
  auto ping = wire::read_ping(received);
  if (!ping) {
    return ping.error();
  }
  clocks_->set(ping->clocks);
  loops_ = std::move(ping->loops);
  wire::pong answer;
  answer.echo = ping->time;
  answer.received = nanoseconds(heard_);
  answer.draining = server_.draining_;
  answer.peers = static_cast<std::uint32_t>(server_.links_.size());
  if (server_.loops_) {
    answer.loops = server_.loops_();
  }
  answer.sent = nanoseconds(server_.host_.now());
  wire::write_pong(writer_.pending(), answer);
  writer_.written();
  return {};
}

result<void> control_server::session::on_cancel(const wire::message& received) {
  const auto what = wire::read_cancel(received);
  if (!what) {
    return what.error();
  }
  // It is a hint: who does not tell where the call is has its deadline.
  if (what->route != wire::cancel::not_told) {
    cancels_.push_back(*what);
  }
  return {};
}

result<void> control_server::session::on_admin(const wire::message& received) {
  const auto asked = wire::read_admin(received);
  if (!asked) {
    return asked.error();
  }
  const auto found = server_.verbs_.find(asked->verb);
  if (found == server_.verbs_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, how] : server_.verbs_) {
      names.push_back(name);
    }
    const std::string near = nearest(asked->verb, names);
    answer_admin(asked->id,
                 error(errc::no_such_method,
                       "no such verb: '" + asked->verb + "'" +
                           (near.empty() ? "" : " (nearest: " + near + ")")));
    return {};
  }
  found->second(asked->arguments,
                link_->peer_host(),
                [here = here_, id = asked->id](const result<wire::buffer>& done) {
                  if (*here != nullptr) {
                    (*here)->answer_admin(id, done);
                  }
                });
  return {};
}

void control_server::session::answer_admin(std::uint64_t id, const result<wire::buffer>& done) {
  wire::admin_reply reply;
  reply.id = id;
  if (done) {
    reply.value = done->bytes();
  } else {
    reply.code = done.error().code();
    reply.message = done.error().message();
  }
  wire::write_admin_reply(writer_.pending(), reply);
  writer_.written();
}

void control_server::session::refuse(errc code, std::string_view why) {
  wire::reject answer;
  answer.code = static_cast<std::uint16_t>(code);
  answer.reason = why;
  wire::write_reject(writer_.pending(), answer);
  writer_.flush();
}

}  // namespace mailroom::rpc
