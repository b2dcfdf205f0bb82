#include <mailroom/framework/async/flow.hpp>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace mailroom::async {
namespace {

thread_local flow_scope* innermost = nullptr;

class no_work final : public work {
 public:
  void run() noexcept override {}
};

no_work done_marker;

// A thread outside of every actor that waits: its "turn" is to be woken.
class waiting_thread final : public home {
 public:
  void post(work& todo) noexcept override {
    const std::lock_guard lock(mutex_);
    arrived_ = &todo;
    condition_.notify_one();  // Under the lock: the waiter may be gone right after.
  }
  void arm(executors::timer&, time_point) noexcept override {}
  void cancel(executors::timer&) noexcept override {}
  time_point now() const noexcept override { return clock::now(); }

  void block() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return arrived_ != nullptr; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  work* arrived_ = nullptr;  // Guarded by mutex_.
};

}  // namespace

// Never inlined: a fiber may look at it before and after a switch, and an address of a thread-local
// kept across the switch would be the wrong one if a compiler hoisted it.
[[gnu::noinline]] flow* current_flow() noexcept {
  return innermost == nullptr ? nullptr : innermost->entered_;
}

[[gnu::noinline]] flow_scope::flow_scope(flow* entered) noexcept
    : entered_(entered), outer_(innermost) {
  std::atomic_signal_fence(std::memory_order_release);
  innermost = this;
}

[[gnu::noinline]] flow_scope::~flow_scope() {
  innermost = outer_;
  std::atomic_signal_fence(std::memory_order_release);
}

// What resumes a flow may find it ended and destroyed, and leave its scope only then.
[[gnu::noinline]] flow::~flow() {
  for (flow_scope* each = innermost; each != nullptr; each = each->outer_) {
    if (each->entered_ == this) {
      each->entered_ = nullptr;
      std::atomic_signal_fence(std::memory_order_release);
    }
  }
}

work* completion::done_mark() noexcept {
  return &done_marker;
}

void completion::complete() noexcept {
  work* before = state_.exchange(done_mark(), std::memory_order_acq_rel);
  if (before != nullptr && before != done_mark()) {
    auto* by = static_cast<waiter*>(before);
    by->where().post(*by);
  }
}

bool completion::attach(waiter& by) {
  by.link(*this);
  work* expected = nullptr;
  if (state_.compare_exchange_strong(expected, &by, std::memory_order_acq_rel)) {
    return true;
  }
  by.unlink();
  if (expected != done_mark()) {
    waiter::awaited_twice();
  }
  return false;
}

bool completion::detach(waiter& by) noexcept {
  work* expected = &by;
  return state_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
}

void waiter::awaited_twice() {
  throw std::logic_error(
      "awaited twice: a call, a sleep or an event continues one flow, and one waits for it "
      "already");
}

void waiter::link(completion& on) noexcept {
  home& at = *flow_->where;
  on_ = &on;
  older_ = at.waiting_;
  newer_ = nullptr;
  if (older_ != nullptr) {
    older_->newer_ = this;
  }
  at.waiting_ = this;
}

void waiter::unlink() noexcept {
  if (newer_ != nullptr) {
    newer_->older_ = older_;
  } else {
    flow_->where->waiting_ = older_;
  }
  if (older_ != nullptr) {
    older_->newer_ = newer_;
  }
  newer_ = nullptr;
  older_ = nullptr;
  on_ = nullptr;
}

void waiter::run() noexcept {
  unlink();
  cancelled_ = !shielded_ && (cancelled_ || flow_->cancelled);
  const flow_scope scope(flow_);
  if (flow_->on != nullptr) {
    flow_->on->resume();
  } else {
    handle_.resume();
  }
}

void home::cancel_waiting() noexcept {
  // Whoever is resumed may end or begin other waits: look at the list afresh each time. A waiter
  // that cannot be detached is on its way here by `complete` and finds its flow cancelled when it
  // arrives.
  for (waiter* each = waiting_; each != nullptr; each = each->older_) {
    each->flow_->cancelled = true;
  }
  waiter* at = waiting_;
  while (at != nullptr) {
    if (!at->shielded_ && !at->cancelled_ && at->on_->detach(*at)) {
      at->cancelled_ = true;
      at->run();
      at = waiting_;
    } else {
      at = at->older_;
    }
  }
}

bool wait(completion& what) {
  flow* here = current_flow();
  if (here == nullptr) {
    waiting_thread thread;
    flow outside;
    outside.where = &thread;
    waiter by;
    by.prepare(outside, {});
    if (what.attach(by)) {
      thread.block();
    }
    return true;
  }
  if (here->cancelled) {
    throw flow_cancelled{};
  }
  if (here->on == nullptr) {
    return what.done();
  }
  waiter by;
  by.prepare(*here, {});
  if (what.attach(by)) {
    here->on->park();
    if (by.cancelled()) {
      throw flow_cancelled{};
    }
  }
  return true;
}

void throw_cancelled() {
  throw flow_cancelled{};
}

}  // namespace mailroom::async
