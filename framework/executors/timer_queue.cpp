#include <mailroom/framework/executors/timer_queue.hpp>

#include <utility>

namespace mailroom::executors {

timer_queue::~timer_queue() {
  for (timer* const t : heap_) {
    t->position_ = timer::unarmed;
    t->queue_.store(nullptr, std::memory_order_release);
  }
}

bool timer_queue::arm(timer& t, time_point due) {
  timer_queue* const other = t.queue_.load(std::memory_order_acquire);
  if (other != nullptr && other != this) {
    other->cancel_here(t);
  }
  const std::lock_guard lock(mutex_);
  const auto before = next_.load(std::memory_order_relaxed);
  t.due_ = due;
  if (t.position_ == timer::unarmed) {
    heap_.push_back(&t);
    t.position_ = heap_.size() - 1;
    t.queue_.store(this, std::memory_order_release);
    sift_up(t.position_);
  } else {
    sift_up(t.position_);
    sift_down(t.position_);
  }
  publish_next();
  return next_.load(std::memory_order_relaxed) < before;
}

void timer_queue::cancel(timer& t) noexcept {
  timer_queue* const queue = t.queue_.load(std::memory_order_acquire);
  if (queue != nullptr) {
    queue->cancel_here(t);
  }
}

void timer_queue::cancel_here(timer& t) noexcept {
  std::unique_lock lock(mutex_);
  if (t.position_ != timer::unarmed) {
    remove(t.position_);
    publish_next();
  }
  ++waiting_;
  fired_.wait(lock, [&] { return running_ != &t; });
  --waiting_;
  t.queue_.store(nullptr, std::memory_order_release);
}

std::size_t timer_queue::fire(time_point now) noexcept {
  const std::lock_guard firing(firing_);
  std::unique_lock lock(mutex_);
  std::size_t fired = 0;
  while (!heap_.empty() && heap_.front()->due_ <= now) {
    timer* const t = heap_.front();
    remove(0);
    publish_next();
    running_ = t;
    lock.unlock();
    t->on_time();
    lock.lock();
    // `t` lives still: whoever wants to destroy it waits in `cancel` until running_ has changed.
    running_ = nullptr;
    if (t->position_ == timer::unarmed) {
      t->queue_.store(nullptr, std::memory_order_release);
    }
    if (waiting_ != 0) {
      fired_.notify_all();
    }
    ++fired;
  }
  return fired;
}

std::size_t timer_queue::size() const {
  const std::lock_guard lock(mutex_);
  return heap_.size();
}

void timer_queue::sift_up(std::size_t at) noexcept {
  timer* const t = heap_[at];
  while (at != 0) {
    const std::size_t parent = (at - 1) / 2;
    if (heap_[parent]->due_ <= t->due_) {
      break;
    }
    place(heap_[parent], at);
    at = parent;
  }
  place(t, at);
}

void timer_queue::sift_down(std::size_t at) noexcept {
  timer* const t = heap_[at];
  for (std::size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1]->due_ < heap_[child]->due_) {
      ++child;
    }
    if (t->due_ <= heap_[child]->due_) {
      break;
    }
    place(heap_[child], at);
    at = child;
  }
  place(t, at);
}

void timer_queue::place(timer* t, std::size_t at) noexcept {
  heap_[at] = t;
  t->position_ = at;
}

void timer_queue::remove(std::size_t at) noexcept {
  heap_[at]->position_ = timer::unarmed;
  timer* const last = heap_.back();
  heap_.pop_back();
  if (at < heap_.size()) {
    place(last, at);
    sift_up(at);
    sift_down(last->position_);
  }
}

void timer_queue::publish_next() noexcept {
  const auto next = heap_.empty() ? std::numeric_limits<time_point::rep>::max()
                                  : heap_.front()->due_.time_since_epoch().count();
  if (next != next_.load(std::memory_order_relaxed)) {
    // Sequentially consistent, as is `next`: the other half of the sleepers' "announce, then look
    // again".
    next_.store(next);
  }
}

}  // namespace mailroom::executors
