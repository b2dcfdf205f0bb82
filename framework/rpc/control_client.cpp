#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/control_client.hpp>
#include <mailroom/framework/rpc/open_host.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace mailroom::rpc {

control_client::control_client(
    executors::event_loop& loop, platform& host, transport& over, connector& calls, options with)
    : loop_(loop),
      host_(host),
      over_(over),
      calls_(calls),
      options_(std::move(with)),
      alarm_(loop, [this] { on_alarm(); }),
      pause_(options_.pause != nullptr
                 ? options_.pause
                 : std::make_shared<reconnect_pause>(options_.first_pause, options_.longest_pause)),
      why_not_(options_.address + ": not connected") {}

control_client::~control_client() {
  close();
}

void control_client::start() {
  if (const time_point allowed = pause_->allowed(host_.now()); allowed > host_.now()) {
    alarm_.set(allowed);
  } else {
    dial();
  }
}

void control_client::close() noexcept {
  if (phase_ == phase::closed) {
    return;
  }
  phase_ = phase::closed;
  alarm_.off();
  if (link_ != nullptr) {
    wire::write_bye(writer_->pending());
    writer_->flush();
    std::exchange(link_, nullptr)->close(true);
  }
  const error why(errc::cancelled, "this node is stopping");
  tell_connecting(&why);
  fail_questions(why);
}

void control_client::dial() {
  phase_ = phase::dialling;
  dialled_ = host_.now();
  ++epoch_;
  orderly_ = false;
  leaving_ = false;
  left_ = false;
  ending_.reset();
  pause_->attempt(host_.now());
  writer_ = std::make_unique<link_writer>(loop_, wire::plane::control);
  auto dialled = over_.dial(loop_, options_.address, *this);
  if (!dialled) {
    end(dialled.error());
    return;
  }
  link_ = *dialled;
}

bool control_client::hurry() {
  const time_point now = host_.now();
  if (phase_ == phase::resting && now - dialled_ >= heartbeat_ && pause_->allowed(now) <= now) {
    dial();
  }
  return is_connecting() || phase_ == phase::attaching;
}

void control_client::on_open(link& on) noexcept {
  phase_ = phase::greeting;
  heard_ = host_.now();
  wire::hello hello;
  hello.node = options_.node;
  hello.incarnation = options_.incarnation;
  hello.capabilities = {std::string(wire::credits_capability),
                        std::string(wire::chunks_capability)};
  hello.time = nanoseconds(host_.now());
  wire::write_hello(writer_->pending(), hello);
  writer_->open(on);
  alarm_.set(heard_ + options_.hello_timeout);
}

void control_client::on_writable(link&) noexcept {
  writer_->on_writable();
}

void control_client::on_closed(link&, const error& why) noexcept {
  link_ = nullptr;
  if (phase_ != phase::parting) {
    end(why);
  }
}

void control_client::on_frame(link&, wire::frame received) noexcept {
  heard_ = host_.now();
  if (const auto good = read(received); !good) {
    end(good.error());
  }
}

result<void> control_client::read(const wire::frame& received) {
  auto messages = wire::reader::open(received.bytes(), wire::plane::control);
  if (!messages) {
    return messages.error();
  }
  wire::message each;
  for (;;) {
    const auto more = messages->next(each);
    if (!more) {
      return more.error();
    }
    if (!*more || link_ == nullptr) {
      return {};
    }
    if (const auto good = on_message(each, received); !good) {
      return good;
    }
  }
}

result<void> control_client::on_message(const wire::message& each, const wire::frame& whole) {
  switch (each.what) {
    case wire::kind::welcome: {
      auto agreed = wire::read_welcome(each);
      if (!agreed) {
        return agreed.error();
      }
      if (phase_ != phase::greeting) {
        return error(errc::protocol_error, "welcome out of turn");
      }
      if (agreed->data.empty() && options_.data_links) {
        return error(errc::protocol_error, "welcome without a data address");
      }
      on_welcome(*std::move(agreed));
      return {};
    }
    case wire::kind::reject: {
      const auto refused = wire::read_reject(each);
      if (!refused) {
        return refused.error();
      }
      return error(static_cast<errc>(refused->code), "refused: " + refused->reason);
    }
    case wire::kind::pong: {
      const auto received = wire::read_pong(each);
      if (!received) {
        return received.error();
      }
      on_pong(*received);
      return {};
    }
    case wire::kind::announce: {
      auto served = wire::read_announce(each);
      if (!served) {
        return served.error();
      }
      calls_.loop().post([this, address = options_.address, topics = std::move(served->topics)] {
        calls_.update_topics(address, topics);
      });
      return {};
    }
    case wire::kind::stuck: {
      auto stuck = wire::read_stuck(each);
      if (!stuck) {
        return stuck.error();
      }
      calls_.loop().post([this, address = options_.address, what = *std::move(stuck)] {
        calls_.update_stuck(address, what);
      });
      return {};
    }
    case wire::kind::goaway:
      // What is in flight goes on; nothing new is sent.
      orderly_ = true;
      leaving_ = true;
      calls_.loop().post([this, address = options_.address] { calls_.leave(address); });
      return {};
    case wire::kind::admin_reply: return on_admin_reply(each, whole);
    case wire::kind::bye: part(); return {};
    default: return {};  // A newer peer's; PROTOCOL.md says to skip it.
  }
}

void control_client::on_welcome(wire::welcome agreed) {
  phase_ = phase::attaching;
  heartbeat_ = std::chrono::milliseconds(std::max<std::uint32_t>(agreed.heartbeat_ms, 1));
  dead_after_ = std::chrono::milliseconds(std::max(agreed.dead_after_ms, agreed.heartbeat_ms));
  const auto now = nanoseconds(host_.now());
  clocks_ = {};
  clocks_.feed(agreed.echo, agreed.received, agreed.sent, now);
  node_ = agreed.node;
  loops_of_peer_.clear();
  if (!options_.data_links) {
    is_up_now();
    tell_connecting(nullptr);
    alarm_.set(host_.now() + heartbeat_);
    return;
  }

  connector::session_info info;
  info.address = options_.address;
  info.node = std::move(agreed.node);
  for (auto& each : agreed.data) {
    info.data.push_back(with_host_of(options_.address, std::move(each)));
  }
  pause_->attempt_data(host_.now(), info.data.size());
  info.session = agreed.session;
  info.clocks = clocks_.at(now).value_or(wire::clock_relation{});
  // 0: not told; then our own limits are all there is.
  if (agreed.in_flight != 0) {
    info.in_flight = agreed.in_flight;
  }
  info.max_body = agreed.max_body == 0 ? options_.max_body
                                       : std::min<std::size_t>(agreed.max_body, options_.max_body);
  info.topics = std::move(agreed.topics);
  info.cancel = [this, epoch = epoch_](const wire::cancel& what) {
    loop_.post([this, epoch, what] {
      if (epoch == epoch_ && is_connected()) {
        wire::write_cancel(writer_->pending(), what);
        writer_->written();
      }
    });
  };
  info.incarnation = agreed.incarnation;
  info.labels = options_.labels;
  const auto uses = [&](std::string_view what) {
    return std::find(agreed.capabilities.begin(), agreed.capabilities.end(), what) !=
           agreed.capabilities.end();
  };
  info.credit_bytes = uses(wire::credits_capability) ? agreed.credit_bytes : 0;
  info.chunks = uses(wire::chunks_capability);
  calls_.loop().post([this, epoch = epoch_, info = std::move(info)]() mutable {
    calls_.open_session(
        over_, std::move(info), [this, epoch](const std::string& address, const error* ended) {
          calls_.settled(address, ended);
          loop_.post([this, epoch, why = ended != nullptr ? std::optional(*ended) : std::nullopt] {
            session_changed(epoch, why ? &*why : nullptr);
          });
        });
  });
  tell_connecting(nullptr);
  attach_by_ = host_.now() + options_.hello_timeout;
  alarm_.set(std::min(host_.now() + heartbeat_, attach_by_));
}

void control_client::session_changed(std::uint64_t epoch, const error* ended) {
  if (epoch != epoch_ || phase_ == phase::closed) {
    return;
  }
  if (ended == nullptr) {
    is_up_now();
  } else if (phase_ == phase::parting) {
    end(*ended);
  } else if (leaving_) {
    left_ = true;  // The peer says good-bye when it has done.
  } else if (has_questions()) {
    // Their answers may have come already, and only wait to be read.
    ending_ = *ended;
    alarm_.set(host_.now() + heartbeat_);
  } else {
    end(*ended);
  }
}

void control_client::is_up_now() {
  phase_ = phase::up;
  attach_by_ = time_point::max();
  pause_->connected(host_.now());
  complained_ = false;
  log::info("connected", {{"address", options_.address}});
  tell_changed(nullptr);
}

void control_client::tell_changed(const error* why) const {
  if (options_.changed) {
    options_.changed(why);
  }
}

void control_client::on_alarm() {
  switch (phase_) {
    case phase::resting: dial(); return;
    case phase::greeting: end(error(errc::unreachable, "no answer to hello")); return;
    case phase::parting: end(error(errc::lost, "the peer said good-bye")); return;
    case phase::attaching:
    case phase::up: on_alarm_of_session(); return;
    default: return;
  }
}

void control_client::on_alarm_of_session() {
  if (ending_) {
    end(error(*ending_));
    return;
  }
  const time_point now = host_.now();
  if (now - heard_ >= dead_after_) {
    const auto silent = std::chrono::duration_cast<std::chrono::milliseconds>(now - heard_);
    end(error(
        errc::lost,
        "no heartbeat of " + options_.address + " for " + std::to_string(silent.count()) + " ms"));
    return;
  }
  if (phase_ == phase::attaching && now >= attach_by_) {
    // Its loop is stuck, or its data port out of reach. Nobody waits for it to be settled; when it
    // attaches after all, it is welcome.
    attach_by_ = time_point::max();
    const error why(errc::unreachable, "it beats, but does not answer on its data link");
    calls_.loop().post([this, address = options_.address, why] { calls_.overdue(address, why); });
    tell_changed(&why);
  }
  beat();
  // At the moment of death at the latest, to be no later with the bad news than promised.
  alarm_.set(std::min({now + heartbeat_, heard_ + dead_after_, attach_by_}));
}

void control_client::end(const error& why) {
  if (phase_ == phase::closed || phase_ == phase::resting) {
    return;
  }
  if (!complained_) {
    complained_ = true;
    log::write(orderly_ ? log::level::info : log::level::warn,
               "disconnected",
               {{"address", options_.address}, {"reason", why.to_string()}});
  }
  if (link_ != nullptr) {
    std::exchange(link_, nullptr)->close(false);
  }
  why_not_ = why.message();
  if (!why_not_.starts_with(options_.address)) {
    why_not_.insert(0, options_.address + ": ");
  }
  const error unreached(errc::unreachable, why_not_);
  tell_connecting(&unreached);
  fail_questions(why);
  rest();
  if (!options_.data_links) {
    tell_changed(&why);
    return;
  }
  calls_.loop().post([this, address = options_.address, why] {
    calls_.settled(address, &why);
    calls_.close_session(
        address,
        error(errc::lost,
              execution::may_have_run,
              "the connection to " + address + " ended: " + std::string(why.message())));
  });
  tell_changed(&why);
}

// The last answers may still be on their way: the data link ends after them, and with it the
// session. Not for ever, though.
void control_client::part() {
  if (phase_ != phase::up || !options_.data_links || left_ || ending_) {
    end(error(errc::lost, "the peer said good-bye"));
    return;
  }
  phase_ = phase::parting;
  orderly_ = true;
  calls_.loop().post([this, address = options_.address] { calls_.update_topics(address, {}); });
  alarm_.set(host_.now() + dead_after_);
}

void control_client::rest() {
  phase_ = phase::resting;
  ++epoch_;
  std::array<std::byte, 2> dice{};
  host_.random(dice);
  const auto share = static_cast<double>(wire::load<std::uint16_t>(dice.data())) / 65'536.0;
  alarm_.set(pause_->again(host_.now(), orderly_, peers_of_peer_, share));
}

}  // namespace mailroom::rpc
