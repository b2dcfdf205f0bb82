#include <mailroom/framework/async/exceptions.hpp>
#include <mailroom/framework/async/thread_home.hpp>

#include <utility>

namespace mailroom::async {

void thread_home::post(work& todo) noexcept {
  const std::lock_guard lock(mutex_);
  todo.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &todo;
  last_ = &todo;
  arrived_.notify_one();  // Under the lock: whoever waits may be gone right after.
}

void thread_home::end() noexcept {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  arrived_.notify_one();
}

// Waits for one thing and does it.
void thread_home::run_one() noexcept {
  work* next = nullptr;
  {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return first_ != nullptr || (ending_ && !has_cancelled_); });
    if (first_ != nullptr) {
      next = std::exchange(first_, first_->next);
      if (first_ == nullptr) {
        last_ = nullptr;
      }
    } else {
      has_cancelled_ = true;
    }
  }
  if (next != nullptr) {
    next->run();
  } else {
    cancel_waiting();
  }
}

// The flow may wait inside a catch block; what runs meanwhile is not in it.
void thread_home::park() noexcept {
  const exceptions_apart apart;
  for (resumed_ = false; !resumed_;) {
    run_one();
  }
}

void thread_home::finish() noexcept {
  while (held_ != 0) {
    run_one();
  }
}

}  // namespace mailroom::async
