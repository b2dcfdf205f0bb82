#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/outbound_link.hpp>
#include <mailroom/framework/rpc/outbound_session.hpp>

#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

std::uint16_t head_size(const pending_call& call) noexcept {
  return call.key != 0 ? wire::call_head::size_with_key : wire::call_head::size;
}

}  // namespace

outbound_link::outbound_link(connector& home,
                             outbound_session& of,
                             std::string address,
                             std::uint32_t loop)
    : home_(home),
      session_(of),
      address_(std::move(address)),
      loop_(loop),
      writer_(home.loop(), wire::plane::data) {}

outbound_link::~outbound_link() {
  close(false);
}

result<void> outbound_link::dial(transport& over) {
  auto dialled = over.dial(home_.loop(), address_, *this);
  if (!dialled) {
    return dialled.error();
  }
  link_ = *dialled;
  if (session_.info().credit_bytes != 0) {
    writer_.limit(session_.info().in_flight, session_.info().credit_bytes);
  }
  return {};
}

void outbound_link::close(bool flush) noexcept {
  if (flush) {
    writer_.release();  // In time is better than in order.
  }
  if (link* open = std::exchange(link_, nullptr)) {
    open->close(flush);
  }
  writer_.close();
  chunks_.close();
  ready_ = false;
}

wire::batch& outbound_link::begin(const pending_call& call, std::uint64_t id) {
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
  head.attempt = call.attempt;
  const auto kind = call.how == pending_call::kind::call ? wire::kind::call : wire::kind::cast;
  std::byte* const to = batch.begin(kind, head_size(call));
  head.write(to);
  if (call.key != 0) {
    wire::store(to + wire::call_head::size, home_.key_salt_);
    wire::store(to + wire::call_head::size + sizeof home_.key_salt_, call.key);
  }
  return batch;
}

void outbound_link::cancel(const pending_call& call) const {
  if (const auto& tell = session_.info().cancel) {
    tell({call.id, loop_, routes_[call.what.names.number] - 1});
  }
}

std::uint32_t outbound_link::route_of(const wire::route& names, wire::batch& batch) {
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

bool outbound_link::finish(pending_call& call, bool keep) {
  wire::batch& batch = writer_.pending();
  body_size_ = batch.message_size() - wire::message_head_size - head_size(call);
  if (body_size_ > session_.info().max_body) {
    drop();
    return false;
  }
  if (keep) {
    call.arguments.append(batch.bytes().bytes().last(body_size_));
  }
  if (call.how == pending_call::kind::call) {
    ++in_flight_;
  }
  if (chunk_sender::is_large(body_size_) && session_.info().chunks) {
    send_in_chunks(call);
    return true;
  }
  batch.finish();
  writer_.charge(batch.message_size());
  writer_.written();
  return true;
}

void outbound_link::send_in_chunks(const pending_call& call) {
  wire::batch& batch = writer_.pending();
  const auto id = wire::load<std::uint64_t>(batch.message().data() + wire::message_head_size);
  auto large = chunk_sender::take_out_of(batch, id, call.until);
  large.price = large.rest.message_size();
  if (call.within) {
    // Between the one that stands before it and itself others may come now.
    wire::batch with_chain(wire::plane::data);
    wire::write_chain(with_chain, id, call.within->links());
    with_chain.append(large.rest);
    large.rest = std::move(with_chain);
  }
  chunks_.send(std::move(large), home_.loop().now());
}

void outbound_link::drop() noexcept {
  writer_.pending().drop();
  // Its route and its chain may stand before it; they leave with whatever comes next.
}

void outbound_link::fence(std::uint64_t number) {
  wire::write_fence(writer_.pending(), number);
  writer_.flush();
}

void outbound_link::on_open(link& on) noexcept {
  wire::batch first(wire::plane::data);
  wire::write_attach(first, {session_.info().session, session_.info().clocks});
  writer_.pending().append(first);
  writer_.open(on);
}

void outbound_link::on_frame(link&, wire::frame received) noexcept {
  const auto good = read(received);
  if (good) {
    if (!fenced_.empty()) {
      session_.fenced(std::exchange(fenced_, {}));  // Perhaps its end.
    }
    return;
  }
  const std::string& address = session_.info().address;
  log::warn_limited(address,
                    "link_closed",
                    {{"peer", address_}, {"plane", "data"}, {"reason", good.error().message()}});
  end(error(
      errc::lost,
      "the peer at " + address + " broke the protocol: " + std::string(good.error().message())));
}

result<void> outbound_link::read(const wire::frame& received) {
  auto good = read_messages(received);
  if (const std::uint64_t bytes = taker_.take_count(); bytes != 0 && good) {
    wire::write_taken(writer_.pending(), bytes);
    writer_.written();
  }
  return good;
}

result<void> outbound_link::read_messages(const wire::frame& received) {
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
        on_reply(id, received, each);
        break;
      }
      case wire::kind::chunk:
        if (const auto good = taker_.take(each, session_.info().max_body); !good) {
          return good;
        }
        break;
      case wire::kind::taken: {
        std::uint64_t bytes = 0;
        if (!wire::id_head::read(each.head, bytes)) {
          return error(errc::protocol_error, "taken with fixed fields too short");
        }
        chunks_.taken(bytes, home_.loop().now());
        break;
      }
      case wire::kind::credit: {
        const auto given = wire::read_credit(each);
        if (!given) {
          return given.error();
        }
        writer_.grant(given->messages, given->bytes);
        break;
      }
      case wire::kind::failure: {
        auto failed = wire::read_failure(each);
        if (!failed) {
          return failed.error();
        }
        if (auto call = home_.take(failed->id, *this)) {
          home_.failed(*this, std::move(call), std::move(failed->why));
        }
        break;
      }
      case wire::kind::fenced: {
        std::uint64_t number = 0;
        if (!wire::id_head::read(each.head, number)) {
          return error(errc::protocol_error, "fenced with fixed fields too short");
        }
        fenced_.push_back(number);
        break;
      }
      case wire::kind::attached:
        if (!ready_) {
          ready_ = true;
          session_.attached();
        }
        break;
      default: break;  // A newer peer's; PROTOCOL.md says to skip it.
    }
  }
}

void outbound_link::on_reply(std::uint64_t id,
                             const wire::frame& received,
                             const wire::message& answer) {
  if (answer.payload.empty()) {
    if (const auto large = taker_.body_of(id)) {
      wire::message whole = answer;
      whole.payload = large->bytes();
      succeed(id, *large, whole);
      return;
    }
  }
  succeed(id, received, answer);
}

void outbound_link::succeed(std::uint64_t id,
                            const wire::frame& received,
                            const wire::message& answer) noexcept {
  const auto call = home_.take(id, *this);
  if (!call) {
    return;
  }
  if (session_.health().in_trouble()) {
    session_.health().succeeded();
  }
  call->what.servers->budget.succeeded();
  if ((answer.flags & wire::id_head::idempotent_flag) != 0) {
    call->what.idempotent.store(true, std::memory_order_relaxed);
  }
  if (call->attempt != 0) {
    call->failure.reset();
  }
  call->succeed(received, answer.payload);
}

void outbound_link::on_writable(link&) noexcept {
  writer_.on_writable();
}

void outbound_link::on_closed(link&, const error& why) noexcept {
  link_ = nullptr;
  end(why);
}

void outbound_link::tell_emptied() noexcept {
  session_.emptied();
}

void outbound_link::end(const error& why) noexcept {
  if (!ended_) {
    ended_ = true;
    session_.lost(*this, why);
  }
}

}  // namespace mailroom::rpc
