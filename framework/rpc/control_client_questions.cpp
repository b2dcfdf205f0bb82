// What is asked of a peer beside its calls: how it does, and what operators want to know.

#include <mailroom/framework/rpc/control_client.hpp>

#include <utility>

namespace mailroom::rpc {
namespace {

// Bytes of a question's arguments; the rest of its payload is the verb.
constexpr std::size_t max_asked = wire::max_control_payload - 2 * wire::max_text;

}  // namespace

void control_client::beat() {
  write_ping(nanoseconds(host_.now()));
  writer_->written();
}

void control_client::write_ping(std::int64_t now) {
  wire::ping what;
  what.time = now;
  what.clocks = clocks_.at(now).value_or(wire::clock_relation{});
  if (options_.loops) {
    what.loops = options_.loops();
  }
  wire::write_ping(writer_->pending(), what);
}

void control_client::on_pong(const wire::pong& received) {
  const auto now = nanoseconds(host_.now());
  clocks_.feed(received.echo, received.received, received.sent, now);
  loops_of_peer_ = received.loops;
  peers_of_peer_ = received.peers;
  if (const auto at = pings_.find(received.echo); at != pings_.end()) {
    const auto tell = std::move(at->second);
    pings_.erase(at);
    tell(duration(now - received.echo));
    end_if_answered();
  }
}

void control_client::ping(round_trip tell) {
  if (is_connecting()) {
    connecting_.push_back([this, tell = std::move(tell)](const error* why) {
      why != nullptr ? tell(*why) : ping(tell);
    });
    return;
  }
  if (!is_connected()) {
    tell(error(errc::unreachable, why_not_));
    return;
  }
  const auto now = nanoseconds(host_.now());
  pings_.insert_or_assign(now, std::move(tell));
  write_ping(now);
  writer_->flush();
}

void control_client::admin(std::string verb, std::span<const std::byte> arguments, answer tell) {
  if (verb.size() > wire::max_text || arguments.size() > max_asked) {
    tell(error(errc::too_large, "a question that no node would read"));
    return;
  }
  if (is_connecting()) {
    connecting_.push_back([this,
                           verb = std::move(verb),
                           kept = std::vector(arguments.begin(), arguments.end()),
                           tell = std::move(tell)](const error* why) {
      why != nullptr ? tell(*why) : admin(verb, kept, tell);
    });
    return;
  }
  if (!is_connected()) {
    tell(error(errc::unreachable, why_not_));
    return;
  }
  const std::uint64_t id = next_admin_++;
  asked_.emplace(id, std::move(tell));
  wire::write_admin(writer_->pending(), {id, std::move(verb), arguments});
  writer_->flush();
}

result<void> control_client::on_admin_reply(const wire::message& received,
                                            const wire::frame& whole) {
  const auto reply = wire::read_admin_reply(received);
  if (!reply) {
    return reply.error();
  }
  if (const auto at = asked_.find(reply->id); at != asked_.end()) {
    const auto tell = std::move(at->second);
    asked_.erase(at);
    if (reply->code == errc::ok) {
      tell(bytes(whole, reply->value));
    } else {
      tell(error(reply->code, reply->message));
    }
    end_if_answered();
  }
  return {};
}

void control_client::end_if_answered() {
  if (ending_ && !has_questions()) {
    end(error(*ending_));
  }
}

void control_client::tell_connecting(const error* why) {
  for (const auto& each : std::exchange(connecting_, {})) {
    each(why);
  }
}

void control_client::fail_questions(const error& why) {
  for (auto& [id, tell] : std::exchange(asked_, {})) {
    tell(why);
  }
  for (auto& [time, tell] : std::exchange(pings_, {})) {
    tell(why);
  }
}

}  // namespace mailroom::rpc
