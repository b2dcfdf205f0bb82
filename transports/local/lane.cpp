#include <mailroom/transports/local/lane.hpp>

#include <iterator>
#include <utility>

namespace mailroom::transports::local {

bool lane::put(wire::buffer& written) {
  const std::lock_guard held(mutex_);
  if (reader_gone_) {
    written.clear();  // Its sender is about to hear that the link is lost.
    return true;
  }
  if (unread() >= most_unread) {
    refused_ = true;
    return false;
  }
  const std::size_t size = written.size();
  frames_.emplace_back(std::move(written));
  unread_.store(unread() + size, std::memory_order_relaxed);
  if (frames_.size() == 1) {
    reader_.tell();
  }
  return true;
}

bool lane::take(std::deque<wire::frame>& into) {
  const std::lock_guard held(mutex_);
  if (into.empty()) {
    into.swap(frames_);
  } else {
    into.insert(into.end(),
                std::make_move_iterator(frames_.begin()),
                std::make_move_iterator(frames_.end()));
    frames_.clear();
  }
  return writer_gone_;
}

void lane::taken(std::size_t bytes) {
  const std::lock_guard held(mutex_);
  unread_.store(unread() - bytes, std::memory_order_relaxed);
  if (refused_ && unread() < most_unread / 2) {
    refused_ = false;
    writer_.tell();
  }
}

void lane::set_reader(waiter who) {
  const std::lock_guard held(mutex_);
  reader_ = who;
  if (!frames_.empty() || writer_gone_) {
    reader_.tell();
  }
}

void lane::set_writer(waiter who) {
  const std::lock_guard held(mutex_);
  writer_ = who;
}

void lane::close_writer(bool flush) {
  std::deque<wire::frame> discarded;  // Destroyed outside of the lock.
  const std::lock_guard held(mutex_);
  writer_ = {};
  writer_gone_ = true;
  if (!flush) {
    discarded.swap(frames_);
  }
  reader_.tell();
}

void lane::close_reader() {
  std::deque<wire::frame> discarded;
  const std::lock_guard held(mutex_);
  reader_ = {};
  reader_gone_ = true;
  discarded.swap(frames_);
  unread_.store(0, std::memory_order_relaxed);
}

}  // namespace mailroom::transports::local
