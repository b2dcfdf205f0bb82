// The way out: what links send, and how they end by our will.

#include <mailroom/transports/zmq/router.hpp>

#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <utility>

namespace mailroom::transports::zmq {

router_link::router_link(router& through, std::string_view id, int descriptor, std::string peer)
    : source(executors::event_loop::phase::input),
      router_(through),
      id_(id),
      descriptor_(descriptor),
      peer_(std::move(peer)),
      backlog_(backlog::make(through.loop_, *this)) {}

router_link::~router_link() {
  backlog_->let_go();
  router_.loop_.forget(*this);
}

std::string_view router_link::log_group() const noexcept {
  return peer_.empty() ? std::string_view(router_.last_host_) : host_of(peer_);
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

}  // namespace mailroom::transports::zmq
