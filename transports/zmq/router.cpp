#include <mailroom/transports/zmq/router.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace mailroom::transports::zmq {
namespace {

constexpr int reported = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

// Milliseconds. libzmq's I/O thread needs microseconds to stop listening.
constexpr int longest_unbind = 100;

// A busy socket is rarely empty. A link that has gone is reported after this at the latest, even if
// frames that it left behind may still wait (they are dropped then).
constexpr duration longest_dying = 100ms;

bool receive_part(zmq_msg_t* into, const socket& from) {
  int got = 0;
  do {
    got = zmq_msg_recv(into, from.handle(), ZMQ_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  return got >= 0;
}

}  // namespace

router::router(std::shared_ptr<context> in,
               executors::event_loop& on,
               rpc::acceptor& who,
               std::weak_ptr<keeper<router>> closing)
    : source(executors::event_loop::phase::input),
      loop_(on),
      acceptor_(who),
      keeper_(std::move(closing)),
      socket_(std::move(in), ZMQ_ROUTER),
      alarm_(*this) {
  zmq_msg_init(&id_);
  socket_.set_up_for_network();
  socket_.set(ZMQ_ROUTER_MANDATORY, 1);
}

router::~router() {
  stop();
  give_up_address();
  socket_.set(ZMQ_LINGER, 0);  // What had to leave has left.
  zmq_msg_close(&id_);
}

result<void> router::listen(const zmq::address& where) {
  if (where.host.find(':') != std::string::npos) {
    socket_.set(ZMQ_IPV6, 1);
  }
  monitor_ = std::make_unique<monitor>(socket_, reported);
  if (zmq_bind(socket_.handle(), where.with_host(where.host).c_str()) != 0) {
    return error(errc::io, where.text + ": " + zmq_strerror(errno));
  }
  open_ = true;
  watch_ = std::make_unique<watch>(loop_, socket_, *this);
  monitor_watch_ = std::make_unique<watch>(loop_, monitor_->reports(), *this);
  loop_.ready(*this);  // Arms both.
  if (where.has_file()) {
    file_ = socket_file::at(where.path);
  }
  bound_ = socket_.get_text(ZMQ_LAST_ENDPOINT);
  address_ = where.text;
  if (where.is_tcp()) {
    address_.resize(address_.rfind(':'));
    address_ += bound_.substr(bound_.rfind(':'));
  }
  return {};
}

// Waits until it is free, so that whoever closes a port can open it again.
void router::give_up_address() {
  if (file_) {
    std::exchange(file_, std::nullopt)->remove();
  }
  if (bound_.empty() || zmq_unbind(socket_.handle(), bound_.c_str()) != 0) {
    return;
  }
  zmq_pollitem_t reports{monitor_->reports().handle(), 0, ZMQ_POLLIN, 0};
  while (zmq_poll(&reports, 1, longest_unbind) > 0) {
    const auto seen = monitor_->next();
    if (seen && seen->what == ZMQ_EVENT_CLOSED) {
      return;
    }
  }
}

void router::shut() {
  open_ = false;
  for (const auto& [id, one] : links_) {
    one->observer_ = nullptr;
    if (!std::exchange(one->closed_, true)) {
      cut(*one);
    }
  }
  const auto owner = keeper_.lock();
  if (!closing_.empty() && owner) {
    owner->add(shared_from_this());
    loop_.ready(*this);
  } else {
    stop();
  }
}

void router::stop() {
  loop_.forget(*this);
  loop_.cancel(alarm_);
  watch_.reset();
  monitor_watch_.reset();
  if (const auto owner = keeper_.lock()) {
    owner->remove(*this);
  }
}

void router::finish(time_point until) {
  const auto self = shared_from_this();
  while (!closing_.empty() && socket_.of().now() < until) {
    wait_for(socket_, monitor_->reports(), until - socket_.of().now());
    read_monitor();
    outcome seen = outcome::more;
    while (seen == outcome::more) {
      seen = receive();
    }
    bury(seen);
  }
  stop();
}

void router::on_ready() noexcept {
  const auto self = shared_from_this();  // Any callback may shut us.
  if (!watch_) {
    return;
  }
  if (!monitor_watch_->armed()) {
    read_monitor();
  }
  const outcome seen = receive();
  bury(seen);
  cut_late_ones();
  if (!open_ && closing_.empty()) {
    stop();
  } else if (seen == outcome::more) {
    loop_.ready(*this);
  } else {
    watch_->arm();
  }
}

router::outcome router::receive() {
  std::size_t bytes = 0;
  for (std::size_t frames = 0; frames != frames_per_pass && bytes < bytes_per_pass; ++frames) {
    if (!receive_one(bytes)) {
      return outcome::drained;
    }
  }
  return outcome::more;
}

// Returns false if there was nothing.
bool router::receive_one(std::size_t& bytes) {
  if (!receive_part(&id_, socket_)) {
    return false;
  }
  if (!body_) {
    body_ = std::make_unique<received>();
  }
  // The parts of a message arrive together. A peer may have sent any number of them.
  std::size_t parts = 0;
  for (bool more = zmq_msg_more(&id_) != 0; more; ++parts) {
    if (parts == 0) {
      receive_part(body_->raw(), socket_);
      more = zmq_msg_more(body_->raw()) != 0;
    } else {
      received rest;
      receive_part(rest.raw(), socket_);
      more = zmq_msg_more(rest.raw()) != 0;
    }
  }
  if (parts == 0) {
    ++socket_.of().counts().malformed;
    return true;
  }
  const bool goodbye = parts == 1 && body_->bytes().empty();
  router_link& from = find_or_meet(parts == 1 && !goodbye);
  if (from.closed_) {
    return true;
  }
  if (parts != 1) {
    ++socket_.of().counts().malformed;
    log::warn_limited(from.log_group(),
                      "malformed_message",
                      {{"listen", address_}, {"peer", from.peer_}, {"parts", parts}});
    cut(from);
    lose(from, "sent a message of several parts");
  } else if (goodbye) {
    cut(from);
    lose(from, "closed by the peer");
  } else {
    bytes += body_->bytes().size();
    deliver(from);
  }
  return true;
}

void router::deliver(router_link& to) {
  received* const kept = body_.release();
  to.observer_->on_frame(to, wire::frame(kept->bytes(), kept));
}

router_link& router::find_or_meet(bool acceptable) {
  const std::string_view id(static_cast<const char*>(zmq_msg_data(&id_)), zmq_msg_size(&id_));
  if (last_ != nullptr && last_->id_ == id && !last_->dying_) {
    return *last_;
  }
  const auto found = links_.find(id);
  if (found != links_.end()) {
    last_ = found->second.get();
    if (!last_->dying_ || zmq_msg_get(body_->raw(), ZMQ_SRCFD) == last_->descriptor_) {
      return *last_;
    }
    // The same identity over a new connection: nothing of the old one follows.
    router_link& old = *last_;
    lose(old, "the connection was lost");
    erase(old);
  }
  return meet(id, zmq_msg_get(body_->raw(), ZMQ_SRCFD), acceptable);
}

router_link& router::meet(std::string_view id, int descriptor, bool acceptable) {
  // Numbers of descriptors are used again. Reports of connections that had this one before are read
  // first, so that the end of an old connection is not taken for the end of this one.
  read_monitor();
  auto stranger = strangers_.extract(descriptor);
  auto gone = gone_unknown_.extract(descriptor);
  std::string peer = !stranger.empty() ? std::move(stranger.mapped())
                     : !gone.empty()   ? std::move(gone.mapped())
                                       : peer_of(descriptor);
  auto made = std::make_unique<router_link>(*this, id, descriptor, std::move(peer));
  router_link& met = *made;
  links_.emplace(std::string(id), std::move(made));
  last_ = &met;
  if (!gone.empty()) {
    mark_dying(met);
  } else if (descriptor >= 0) {
    auto& owner = by_descriptor_[descriptor];
    if (owner != nullptr) {
      mark_dying(*owner);
    }
    owner = &met;
  }
  if (!open_) {
    met.closed_ = true;
    cut(met);
  }
  if (!acceptable || !open_) {
    return met;  // For as long as it takes to cut it.
  }
  rpc::link_observer* const who = acceptor_.on_accept(met);
  if (met.closed_) {
    return met;
  }
  met.observer_ = who;
  if (who == nullptr) {
    met.closed_ = true;
    ++socket_.of().counts().refused;
    cut(met);
  }
  return met;
}

void router::mark_dying(router_link& one) {
  if (!std::exchange(one.dying_, true)) {
    one.dying_since_ = loop_.now();
    dying_.push_back(&one);
    loop_.ready(*this);
  }
}

void router::bury(outcome seen) {
  if (seen == outcome::drained) {
    // Nothing is left of connections whose end was reported before we looked.
    gone_unknown_.clear();
    for (router_link* const one : std::exchange(dying_, {})) {
      lose(*one, "the connection was lost");
      erase(*one);
    }
    return;
  }
  for (std::size_t i = 0; i < dying_.size(); ++i) {
    if (loop_.now() - dying_[i]->dying_since_ >= longest_dying) {
      lose(*dying_[i], "the connection was lost");
    }
  }
}

void router::lose(router_link& one, const char* why) {
  rpc::link_observer* const who = std::exchange(one.observer_, nullptr);
  one.closed_ = true;
  if (who != nullptr) {
    who->on_closed(one, error(errc::lost, one.peer_ + ": " + why));
  }
}

void router::erase(router_link& one) {
  const auto bound = by_descriptor_.find(one.descriptor_);
  if (bound != by_descriptor_.end() && bound->second == &one) {
    by_descriptor_.erase(bound);
  }
  dying_.erase(std::remove(dying_.begin(), dying_.end(), &one), dying_.end());
  closing_.erase(std::remove(closing_.begin(), closing_.end(), &one), closing_.end());
  if (last_ == &one) {
    last_ = nullptr;
  }
  links_.erase(links_.find(one.id_));
}

}  // namespace mailroom::transports::zmq
