#pragma once

#include <mailroom/framework/async/flow.hpp>

#include <coroutine>

namespace mailroom::async {

/// Those who wait for a mutex or a channel, first come, first served. Guarded by the lock of what
/// they wait for.
class line {
 public:
  /// Lies in the waiting frame. It is completed by whoever takes it out, *under the lock*: a frame
  /// whose wait is cancelled looks under the same lock before it goes, so nobody completes what is
  /// gone.
  class place : public completion {
   public:
    place() noexcept = default;
    bool waits() const noexcept { return in_ != nullptr; }

    /// For `await_ready`, before anything is asked for.
    static void throw_if_cancelled() {
      if (const flow* here = current_flow(); here != nullptr && here->cancelled) {
        throw_cancelled();
      }
    }
    bool suspend(std::coroutine_handle<> continues) {
      waiter_.prepare(*current_flow(), continues);
      return attach(waiter_);
    }
    bool was_cancelled() const noexcept { return waiter_.cancelled(); }

   protected:
    ~place() = default;

   private:
    friend class line;
    waiter waiter_;
    line* in_ = nullptr;
    place* before_ = nullptr;
    place* after_ = nullptr;
  };

  line() noexcept = default;
  line(const line&) = delete;
  line& operator=(const line&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  place* first() const noexcept { return first_; }

  void enter(place& last) noexcept {
    last.in_ = this;
    last.before_ = last_;
    last.after_ = nullptr;
    (last_ != nullptr ? last_->after_ : first_) = &last;
    last_ = &last;
  }
  void leave(place& one) noexcept {
    (one.before_ != nullptr ? one.before_->after_ : first_) = one.after_;
    (one.after_ != nullptr ? one.after_->before_ : last_) = one.before_;
    one.in_ = nullptr;
  }

 private:
  place* first_ = nullptr;
  place* last_ = nullptr;
};

}  // namespace mailroom::async
