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

void link_writer::flush() noexcept {
  if (link_ == nullptr) {
    if (closed_) {
      pending_.clear();
    }
    return;
  }
  while (!queue_.empty()) {
    const std::size_t size = queue_.front().size();
    if (!link_->send(queue_.front())) {
      break;
    }
    queue_.pop_front();
    queued_bytes_ -= size;
  }
  if (pending_.empty()) {
    return;
  }
  if (!queue_.empty() && !is_full(pending_)) {
    return;  // Goes on growing until there is room.
  }
  last_frame_ = std::min(pending_.size(), large_frame + large_frame / 4);
  wire::buffer frame = pending_.take();
  if (!queue_.empty() || !link_->send(frame)) {
    queued_bytes_ += frame.size();
    queue_.push_back(std::move(frame));
  }
}

}  // namespace mailroom::rpc
