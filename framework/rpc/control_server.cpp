#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/control_server.hpp>
#include <mailroom/framework/rpc/link_writer.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

// Bytes of answers: a few of the largest.
constexpr std::size_t most_unread = std::size_t{64} << 20U;

}  // namespace

/// One peer's control link, from its hello to its end.
class control_server::session final : public link_observer {
 public:
  session(control_server& server, link& opened)
      : server_(server),
        link_(&opened),
        writer_(server.loop_, wire::plane::control),
        heard_(server.host_.now()) {
    writer_.open(opened);
  }
  ~session() { *here_ = nullptr; }

  void on_open(link&) noexcept override {}
  void on_writable(link&) noexcept override { writer_.on_writable(); }
  void on_closed(link&, const error&) noexcept override {
    link_ = nullptr;
    server_.gone(*this);
  }

  void on_frame(link&, wire::frame received) noexcept override {
    if (server_.stood_still()) {
      return;  // This session has ended with the others.
    }
    heard_ = server_.host_.now();
    if (const auto good = read(received); !good) {
      const std::string peer(link_->peer_address());
      log::warn_limited(link_->log_group(),
                        "link_closed",
                        {{"peer", peer}, {"plane", "control"}, {"reason", good.error().message()}});
      end(greeted_ ? false : true);
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

  void tell_topics() {
    if (greeted_ && !finished_) {
      wire::write_announce(writer_.pending(), {server_.topics_});
      writer_.written();
    }
  }
  void tell_stuck() {
    if (greeted_ && !finished_) {
      wire::write_stuck(writer_.pending(), server_.stuck_);
      writer_.written();
    }
  }
  void tell_go_away(const wire::goaway& what) {
    if (greeted_ && !finished_) {
      wire::write_goaway(writer_.pending(), what);
      writer_.written();
    }
  }

  void close(bool polite) noexcept {
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

  void end(bool polite) noexcept {
    close(polite);
    server_.gone(*this);
  }

  time_point heard() const noexcept { return heard_; }
  bool greeted() const noexcept { return greeted_; }
  bool finished() const noexcept { return finished_; }
  const session_id& id() const noexcept { return id_; }
  const std::string& node() const noexcept { return node_; }
  const std::vector<wire::loop_state>& loops() const noexcept { return loops_; }
  std::string_view peer_address() const noexcept { return link_->peer_address(); }
  std::string_view log_group() const noexcept { return link_->log_group(); }

 private:
  result<void> read(const wire::frame& received) {
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

  result<void> on_message(const wire::message& each) {
    switch (each.what) {
      case wire::kind::hello: return on_hello(each);
      case wire::kind::ping: return on_ping(each);
      case wire::kind::admin: return on_admin(each);
      case wire::kind::cancel: return on_cancel(each);
      case wire::kind::bye: finished_ = true; return {};
      default: return {};  // A newer peer's; PROTOCOL.md says to skip it.
    }
  }

  result<void> on_hello(const wire::message& received) {
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
    const auto beat =
        std::chrono::duration_cast<std::chrono::milliseconds>(server_.self_.heartbeat);
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

  result<void> on_ping(const wire::message& received) {
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

  result<void> on_cancel(const wire::message& received) {
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

  result<void> on_admin(const wire::message& received) {
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

  void answer_admin(std::uint64_t id, const result<wire::buffer>& done) {
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

  void refuse(errc code, std::string_view why) {
    wire::reject answer;
    answer.code = static_cast<std::uint16_t>(code);
    answer.reason = why;
    wire::write_reject(writer_.pending(), answer);
    writer_.flush();
  }

  control_server& server_;
  // For answers that come later: null when this is gone.
  const std::shared_ptr<session*> here_ = std::make_shared<session*>(this);
  link* link_;
  link_writer writer_;
  time_point heard_;
  bool greeted_ = false;
  bool finished_ = false;
  session_id id_{};
  std::vector<wire::cancel> cancels_;  // In the frame that is being read.
  std::string node_;
  std::vector<wire::loop_state> loops_;  // The peer's.
  std::shared_ptr<session_table::clocks> clocks_;
};

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

void control_server::go_away(const std::string& reason, duration until) {
  draining_ = true;
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(until).count();
  for (auto& [key, each] : links_) {
    each->tell_go_away({reason, static_cast<std::uint32_t>(std::max<std::int64_t>(limit, 0))});
  }
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
