#include <mailroom/framework/executors/cooperative.hpp>

#include <cassert>
#include <utility>

namespace mailroom::executors {
namespace {

thread_local const cooperative* current = nullptr;

}  // namespace

cooperative::cooperative(options with) : with_(std::move(with)), mark_(with_.watch, *this) {
  assert(with_.run != nullptr);
}

cooperative::~cooperative() {
  if (thread_.joinable()) {
    stop(deadline(time_point::min()));
  }
}

void cooperative::start() {
  assert(!thread_.joinable());
  thread_ = with_.host->start_thread("mr-coop", [this] { run(); });
}

void cooperative::submit(void* item, affinity /*where*/) noexcept {
  if (current == this) {
    queue_.push(item);
  } else if (queue_.push_from_outside(item)) {
    wake();
  }
}

void cooperative::arm(timer& t, time_point due) noexcept {
  if (timers_.arm(t, due) && current != this) {
    wake();
  }
}

bool cooperative::on_own_thread() const noexcept {
  return current == this;
}

void cooperative::wake() noexcept {
  if (parker_.wake()) {
    wakeups_.fetch_add(1, std::memory_order_relaxed);
  }
}

void cooperative::run() noexcept {
  current = this;
  mark_.enter();
  time_point now = meter_.begin(*with_.host);
  for (;;) {
    if (timers_.next() <= now) {
      timers_.fire(now);
    }
    const bool stopping = stopping_.load();
    if (stopping && stop_at_.passed(now)) {
      break;
    }
    if (void* const item = queue_.pop()) {
      mark_.begin(now);
      const verdict wants = with_.run(item, *this);
      now = meter_.end_turn(*with_.host);
      if (wants == verdict::again) {
        queue_.push(item);
      }
    } else if (stopping) {
      break;
    } else {
      sleep();
      now = meter_.begin(*with_.host);
    }
  }
  mark_.leave();
  current = nullptr;
}

void cooperative::sleep() noexcept {
  mark_.rest();
  parker_.announce();
  if (queue_.empty() && !stopping_.load()) {
    parks_.add();
    parker_.sleep(timers_.next());
  }
  parker_.stay_awake();
}

statistics cooperative::stats() const {
  statistics all;
  all.name = with_.name;
  all.policy = policy();
  all.threads = 1;
  all.queued = queue_.size();
  all.parks = parks_.get();
  all.wakeups = wakeups_.load(std::memory_order_relaxed);
  all.hops = queue_.hops();
  meter_.add_to(all);
  mark_.add_to(all);
  return all;
}

std::vector<void*> cooperative::stop(deadline until) {
  assert(current != this);
  if (thread_.joinable()) {
    stop_at_ = until;
    stopping_.store(true);
    parker_.wake();
    thread_.join();
  }
  return queue_.close();
}

}  // namespace mailroom::executors
