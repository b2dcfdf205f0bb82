#include <mailroom/framework/rpc/link_writer.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::rpc {

void link_writer::close() noexcept {
  link_ = nullptr;
  closed_ = true;
  pending_.clear();
  queue_.clear();
  queued_bytes_ = 0;
}

void link_writer::hold() {
  flush();
  if (!pending_.empty()) {
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
  queue_.push_back(std::move(frame));
}

void link_writer::flush() noexcept {
  if (link_ == nullptr) {
    if (closed_) {
      pending_.clear();
    }
    return;
  }
  while (!queue_.empty() && (!held_ || may_leave_ > 0)) {
    const std::size_t size = queue_.front().size();
    if (!link_->send(queue_.front())) {
      break;
    }
    queue_.pop_front();
    queued_bytes_ -= size;
    may_leave_ -= held_ ? 1 : 0;
  }
  if (pending_.empty()) {
    return;
  }
  const bool waits = held_ || !queue_.empty();
  if (waits && !is_full(pending_)) {
    return;  // Goes on growing until there is room.
  }
  last_frame_ = std::min(pending_.size(), large_frame + large_frame / 4);
  wire::buffer frame = pending_.take();
  if (waits || !link_->send(frame)) {
    queue(std::move(frame));
  }
}

}  // namespace mailroom::rpc
