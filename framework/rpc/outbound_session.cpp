#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/outbound_session.hpp>

#include <algorithm>
#include <string>

namespace mailroom::rpc {
namespace {

struct by_name {
  using name = std::pair<std::string_view, std::string_view>;

  static name of(const wire::topic_home& what) noexcept { return {what.exchange, what.topic}; }
  static name of(const name& what) noexcept { return what; }
  template <class Left, class Right>
  bool operator()(const Left& left, const Right& right) const noexcept {
    return of(left) < of(right);
  }
};

}  // namespace

outbound_session::outbound_session(connector& home,
                                   connector::session_info agreed,
                                   connector::session_watch watch)
    : home_(home),
      agreed_(std::move(agreed)),
      watch_(std::move(watch)),
      writer_(home.loop(), wire::plane::data) {
  set_topics(std::move(agreed_.topics));
}

outbound_session::~outbound_session() {
  close(false);
}

result<void> outbound_session::dial(transport& over) {
  auto dialled = over.dial(home_.loop(), agreed_.data_address, *this);
  if (!dialled) {
    return dialled.error();
  }
  link_ = *dialled;
  return {};
}

void outbound_session::set_topics(std::vector<wire::topic_home> topics) {
  agreed_.topics = std::move(topics);
  // Ours tell them in order.
  if (!std::is_sorted(agreed_.topics.begin(), agreed_.topics.end(), by_name{})) {
    std::sort(agreed_.topics.begin(), agreed_.topics.end(), by_name{});
  }
}

bool outbound_session::serves(std::string_view exchange, std::string_view topic) const noexcept {
  return std::binary_search(
      agreed_.topics.begin(), agreed_.topics.end(), std::pair(exchange, topic), by_name{});
}

void outbound_session::close(bool flush) noexcept {
  if (flush) {
    writer_.flush();
  }
  if (link* open = std::exchange(link_, nullptr)) {
    open->close(flush);
  }
  writer_.close();
  ready_ = false;
}

wire::batch& outbound_session::begin(const pending_call& call, std::uint64_t id) {
  wire::batch& batch = writer_.pending();
  wire::call_head head;
  head.id = id;
  head.route = route_of(call.what.names, batch);
  head.priority = call.priority;
  head.for_all = call.how == pending_call::kind::fanout;
  if (!call.until.is_none()) {
    head.deadline = call.until.at().time_since_epoch().count();
  }
  if (call.within) {
    wire::write_chain(batch, id, call.within->links());
  }
  const auto kind = call.how == pending_call::kind::call ? wire::kind::call : wire::kind::cast;
  head.write(batch.begin(kind, wire::call_head::size));
  return batch;
}

std::uint32_t outbound_session::route_of(const wire::route& names, wire::batch& batch) {
  if (names.number >= routes_.size()) {
    routes_.resize(names.number + 1);
  }
  std::uint32_t& known = routes_[names.number];
  if (known == 0) {
    wire::route declared = names;
    declared.number = declared_;
    wire::write_route(batch, declared);
    known = ++declared_;
  }
  return known - 1;
}

bool outbound_session::finish(const pending_call& call) noexcept {
  wire::batch& batch = writer_.pending();
  body_size_ = batch.message_size() - wire::message_head_size - wire::call_head::size;
  if (body_size_ > agreed_.max_body) {
    drop();
    return false;
  }
  batch.finish();
  if (call.how == pending_call::kind::call) {
    ++in_flight_;
  }
  writer_.written();
  return true;
}

void outbound_session::drop() noexcept {
  writer_.pending().drop();
  // Its route and its chain may stand before it; they leave with whatever comes next.
}

void outbound_session::on_open(link& on) noexcept {
  wire::batch first(wire::plane::data);
  wire::write_attach(first, {agreed_.session, agreed_.clocks});
  writer_.pending().append(first);
  writer_.open(on);
}

void outbound_session::on_frame(link&, wire::frame received) noexcept {
  if (const auto good = read(received); !good) {
    log::warn_limited(
        agreed_.address,
        "link_closed",
        {{"peer", agreed_.data_address}, {"plane", "data"}, {"reason", good.error().message()}});
    end(error(errc::lost,
              "the peer at " + agreed_.address +
                  " broke the protocol: " + std::string(good.error().message())));
  }
}

result<void> outbound_session::read(const wire::frame& received) {
  auto messages = wire::reader::open(received.bytes(), wire::plane::data);
  if (!messages) {
    return messages.error();
  }
  wire::message each;
  for (;;) {
    const auto more = messages->next(each);
    if (!more) {
      return more.error();
    }
    if (!*more) {
      return {};
    }
    switch (each.what) {
      case wire::kind::reply: {
        std::uint64_t id = 0;
        if (!wire::id_head::read(each.head, id)) {
          return error(errc::protocol_error, "reply with fixed fields too short");
        }
        if (const auto call = home_.take(id, *this)) {
          call->succeed(received, each.payload);
        }
        break;
      }
      case wire::kind::failure: {
        auto failed = wire::read_failure(each);
        if (!failed) {
          return failed.error();
        }
        if (const auto call = home_.take(failed->id, *this)) {
          call->fail(std::move(failed->why));
        }
        break;
      }
      case wire::kind::attached:
        if (!ready_) {
          ready_ = true;
          home_.servers_changed();
          if (watch_) {
            watch_(agreed_.address, nullptr);
          }
        }
        break;
      default: break;  // A newer peer's; PROTOCOL.md says to skip it.
    }
  }
}

void outbound_session::on_writable(link&) noexcept {
  writer_.on_writable();
}

void outbound_session::on_closed(link&, const error& why) noexcept {
  link_ = nullptr;
  end(why);
}

void outbound_session::end(const error& why) noexcept {
  if (!ended_) {
    ended_ = true;
    home_.ended(*this, why);
  }
}

}  // namespace mailroom::rpc
