#include <mailroom/transports/zmq/router.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
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

router::router(std::shared_ptr<context> in, executors::event_loop& on, rpc::acceptor& who)
    : source(executors::event_loop::phase::input),
      loop_(on),
      acceptor_(who),
      socket_(std::move(in), ZMQ_ROUTER),
      alarm_(*this) {
  zmq_msg_init(&id_);
  socket_.set_up_for_network();
  socket_.set(ZMQ_ROUTER_MANDATORY, 1);
}

router::~router() {
  shut();
  give_up_address();
  zmq_msg_close(&id_);
}

result<std::string> router::listen(const address& where) {
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
  bound_ = socket_.get_text(ZMQ_LAST_ENDPOINT);
  if (!where.is_tcp()) {
    return where.text;
  }
  return where.text.substr(0, where.text.rfind(':')) + bound_.substr(bound_.rfind(':'));
}

// Waits until it is free, so that whoever closes a port can open it again.
void router::give_up_address() {
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
  loop_.forget(*this);
  loop_.cancel(alarm_);
  for (const auto& [id, one] : links_) {
    one->observer_ = nullptr;
  }
  watch_.reset();
  monitor_watch_.reset();
}

void router::on_ready() noexcept {
  const auto self = shared_from_this();  // Any callback may shut us.
  if (!monitor_watch_->armed()) {
    read_monitor();
  }
  const outcome seen = receive();
  if (open_) {
    bury(seen);
  }
  if (!open_) {
    return;
  }
  cut_late_ones();
  if (seen == outcome::more) {
    loop_.ready(*this);
  } else {
    watch_->arm();
  }
}

router::outcome router::receive() {
  std::size_t bytes = 0;
  for (std::size_t frames = 0; frames != frames_per_pass && bytes < bytes_per_pass; ++frames) {
    if (!receive_one(bytes) || !open_) {
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
  router_link& from = find_or_meet();
  if (!open_ || from.observer_ == nullptr) {
    return true;
  }
  if (parts != 1) {
    ++socket_.of().counts().malformed;
    cut(from);
    lose(from, "sent a message of several parts");
  } else if (body_->bytes().empty()) {
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

router_link& router::find_or_meet() {
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
    if (!open_) {
      return old;
    }
    erase(old);
  }
  return meet(id, zmq_msg_get(body_->raw(), ZMQ_SRCFD));
}

router_link& router::meet(std::string_view id, int descriptor) {
  // Numbers of descriptors are used again. Reports of connections that had this one before are read
  // first, so that the end of an old connection is not taken for the end of this one.
  read_monitor();
  auto made = std::make_unique<router_link>(*this, id, descriptor);
  router_link& met = *made;
  links_.emplace(std::string(id), std::move(made));
  last_ = &met;
  if (gone_unknown_.count(descriptor) != 0) {
    mark_dying(met);
  } else if (descriptor >= 0) {
    auto& owner = by_descriptor_[descriptor];
    if (owner != nullptr) {
      mark_dying(*owner);
    }
    owner = &met;
  }
  rpc::link_observer* const who = acceptor_.on_accept(met);
  if (!open_ || met.closed_) {
    return met;
  }
  met.observer_ = who;
  if (who == nullptr) {
    ++socket_.of().counts().refused;
    cut(met);
  }
  return met;
}

void router::read_monitor() {
  while (const auto seen = monitor_->next()) {
    switch (seen->what) {
      case ZMQ_EVENT_ACCEPTED: gone_unknown_.erase(seen->value); break;
      case ZMQ_EVENT_DISCONNECTED: on_disconnected(seen->value); break;
      case ZMQ_EVENT_CLOSED: break;
      default: ++socket_.of().counts().handshakes_failed; break;
    }
  }
  monitor_watch_->arm();
}

void router::on_disconnected(int descriptor) {
  const auto found = by_descriptor_.find(descriptor);
  if (found == by_descriptor_.end()) {
    gone_unknown_.insert(descriptor);
    return;
  }
  router_link& one = *found->second;
  by_descriptor_.erase(found);
  mark_dying(one);
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
      if (!open_) {
        return;
      }
      erase(*one);
    }
    return;
  }
  for (std::size_t i = 0; i < dying_.size(); ++i) {
    if (loop_.now() - dying_[i]->dying_since_ >= longest_dying) {
      lose(*dying_[i], "the connection was lost");
      if (!open_) {
        return;
      }
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

bool router::hand_over(router_link& to, zmq_msg_t& message) {
  int sent = 0;
  do {
    sent = zmq_send(socket_.handle(), to.id_.data(), to.id_.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    do {
      sent = zmq_msg_send(&message, socket_.handle(), ZMQ_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
  }
  if (sent < 0) {
    zmq_msg_close(&message);  // EHOSTUNREACH: there is no way to it any more.
    mark_dying(to);
    return false;
  }
  loop_.ready(*this);  // Sending may have eaten the edge that tells of received messages.
  return true;
}

void router::say_goodbye(router_link& to) {
  zmq_msg_t empty;
  zmq_msg_init(&empty);
  if (hand_over(to, empty)) {
    to.cut_at_ = loop_.now() + socket_.of().bounds().linger;
    closing_.push_back(&to);
    loop_.arm(alarm_, closing_.front()->cut_at_);
  }
}

// libzmq cannot close one connection of a ROUTER, the system can. Descriptors are used again: only
// if this one still leads to the peer that we met through it.
void router::cut(router_link& one) {
  read_monitor();
  if (!one.dying_ && one.descriptor_ >= 0 && !one.peer_.empty() &&
      peer_of(one.descriptor_) == one.peer_) {
    ::shutdown(one.descriptor_, SHUT_RDWR);
  }
}

void router::cut_late_ones() {
  if (closing_.empty()) {
    return;
  }
  // In the order in which they are due.
  auto late = closing_.begin();
  while (late != closing_.end() && (*late)->cut_at_ <= loop_.now()) {
    cut(**late);
    ++late;
  }
  closing_.erase(closing_.begin(), late);
  if (!closing_.empty()) {
    loop_.arm(alarm_, closing_.front()->cut_at_);
  }
}

router_link::router_link(router& through, std::string_view id, int descriptor)
    : source(executors::event_loop::phase::input),
      router_(through),
      id_(id),
      descriptor_(descriptor),
      peer_(descriptor < 0 ? std::string() : peer_of(descriptor)),
      backlog_(backlog::make(through.loop_, *this)) {}

router_link::~router_link() {
  backlog_->let_go();
  router_.loop_.forget(*this);
}

bool router_link::send(wire::buffer& frame) {
  assert(!closed_ && !frame.empty());
  if (dying_) {
    frame.clear();  // `on_closed` follows.
    return true;
  }
  if (!backlog_->has_room()) {
    refused_ = true;
    return false;
  }
  zmq_msg_t message;
  backlog_->wrap(frame, message);
  router_.hand_over(*this, message);
  return true;
}

void router_link::close(bool flush) {
  if (std::exchange(closed_, true)) {
    return;
  }
  observer_ = nullptr;
  if (dying_) {
    return;
  }
  if (flush) {
    router_.say_goodbye(*this);
  } else {
    router_.cut(*this);
  }
}

void router_link::on_ready() noexcept {
  const auto keep = router_.shared_from_this();
  if (refused_ && observer_ != nullptr) {
    refused_ = false;
    observer_->on_writable(*this);
  }
}

}  // namespace mailroom::transports::zmq
