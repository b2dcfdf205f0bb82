#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/result.hpp>

namespace mailroom {

/// A pause of the current flow: `co_await` it in a coroutine; in a suspending handler it has passed
/// when the expression that made it ends. In a plain handler it throws `call_error` with
/// `errc::would_block`. Takes no thread.
class sleep_operation : public async::parkable {
 public:
  explicit sleep_operation(duration pause) {
    async::flow* here = async::current_flow();
    if (here == nullptr || here->how == async::style::plain) {
      throw call_error(
          error(errc::would_block,
                "sleep in a plain handler; register it as suspending, or return task<T> and "
                "co_await the sleep"));
    }
    where_ = here->where;
    due_ = later(where_->now(), pause);
    if (here->on != nullptr) {
      arm();
      try {
        async::wait(alarm_);
      } catch (...) {
        where_->cancel(alarm_);  // No destructor follows a constructor that throws.
        throw;
      }
    }
  }
  sleep_operation(const sleep_operation&) = delete;
  sleep_operation& operator=(const sleep_operation&) = delete;
  ~sleep_operation() {
    if (armed_) {
      where_->cancel(alarm_);
    }
  }

  bool await_ready() {
    arm();
    return until_.await_ready();
  }
  bool await_suspend(std::coroutine_handle<> continues) { return until_.await_suspend(continues); }
  void await_resume() const { until_.await_resume(); }

 private:
  class alarm final : public executors::timer, public async::completion {
   public:
    void on_time() noexcept override { complete(); }
  };

  void arm() {
    if (!armed_) {
      armed_ = true;
      where_->arm(alarm_, due_);
    }
  }

  async::home* where_ = nullptr;
  time_point due_;
  alarm alarm_;
  async::until until_{alarm_};
  bool armed_ = false;
};

/// See `sleep_operation`.
inline sleep_operation sleep(duration pause) {
  return sleep_operation(pause);
}

}  // namespace mailroom
