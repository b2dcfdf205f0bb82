#pragma once

#include <mailroom/framework/executors/event_loop.hpp>

#include <functional>
#include <utility>

namespace mailroom::rpc {

/// Calls a function on its loop's thread when a time has come; unlike a bare timer the function may
/// do anything, arm the alarm again included. Loop thread only.
class loop_alarm final : private executors::event_loop::source, private executors::timer {
 public:
  loop_alarm(executors::event_loop& loop, std::function<void()> ring)
      : source(executors::event_loop::phase::work), loop_(loop), ring_(std::move(ring)) {}
  ~loop_alarm() {
    off();
    loop_.forget(*this);
  }

  void set(time_point due) noexcept {
    on_ = true;
    loop_.arm(*this, due);
  }
  void off() noexcept {
    on_ = false;
    loop_.cancel(*this);
  }

 private:
  void on_time() noexcept override { loop_.notify(*this); }
  void on_ready() noexcept override {
    if (std::exchange(on_, false)) {
      ring_();
    }
  }

  executors::event_loop& loop_;
  std::function<void()> ring_;
  bool on_ = false;
};

}  // namespace mailroom::rpc
