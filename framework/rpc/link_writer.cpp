#include <mailroom/framework/rpc/link_writer.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::rpc {

void link_writer::close() noexcept {
  link_ = nullptr;
  closed_ = true;
  pending_.clear();
  price_ = {};
  queue_.clear();
  queued_bytes_ = 0;
}

void link_writer::hold() {
  flush();
  if (!pending_.empty()) {
    taken_ += pending_.count();
    queue(pending_.take());
  }
  held_ = true;
  may_leave_ = queue_.size();
}

void link_writer::release() noexcept {
  held_ = false;
  flush();
}

void link_writer::queue(wire::buffer frame) {
  queued_bytes_ += frame.size();
  queue_.push_back({std::move(frame), std::exchange(price_, {})});
}

// Of what has not left, it is known that the peer has not seen it.
bool link_writer::send(wire::buffer& frame) {
  const auto messages = wire::load<std::uint32_t>(frame.data() + 4);
  if (!link_->send(frame)) {
    return false;
  }
  sent_ += messages;
  return true;
}

void link_writer::flush() noexcept {
  if (link_ == nullptr) {
    if (closed_) {
      pending_.clear();
    }
    return;
  }
  while (!queue_.empty() && (!held_ || may_leave_ > 0) && can_pay(queue_.front().price)) {
    const std::size_t size = queue_.front().bytes.size();
    if (!send(queue_.front().bytes)) {
      break;
    }
    pay(queue_.front().price);
    queue_.pop_front();
    queued_bytes_ -= size;
    may_leave_ -= held_ ? 1 : 0;
  }
  if (pending_.empty()) {
    return;
  }
  const bool waits = held_ || !queue_.empty() || !can_pay(price_);
  if (waits && !is_full(pending_)) {
    return;  // Goes on growing until there is room.
  }
  last_frame_ = std::min(pending_.size(), large_frame + large_frame / 4);
  taken_ += pending_.count();
  wire::buffer frame = pending_.take();
  if (waits || !send(frame)) {
    queue(std::move(frame));
  } else {
    pay(std::exchange(price_, {}));
  }
}

}  // namespace mailroom::rpc
