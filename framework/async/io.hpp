#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/executors/event_loop.hpp>

#include <coroutine>
#include <system_error>

namespace mailroom {

/// Waits until a descriptor is ready: `co_await` it in a coroutine, `mailroom::wait(...)` for it in
/// a suspending or blocking handler. Nothing happens before, and no thread is taken. It ends as
/// `poll` does: ready is also what is at its end or broken, and a read or write tells which; it may
/// be ready no more when the handler goes on, so the descriptor should not block.
///
/// The descriptor stays the caller's, with its flags. It must be open for as long as somebody waits
/// for it: who is cancelled has withdrawn the watch when `flow_cancelled` is thrown, and then it
/// may be closed. Any number may wait for one descriptor. Throws `call_error` with `errc::io` for
/// what cannot be watched: a file (always ready), a descriptor that is not open, or was closed
/// meanwhile.
class [[nodiscard]] io_operation {
 public:
  io_operation(executors::event_loop& by, int descriptor, executors::readiness what) noexcept
      : by_(&by), descriptor_(descriptor), for_(what) {}

  auto operator co_await() const noexcept { return awaiter(*by_, descriptor_, for_); }

 private:
  class awaiter final : public async::parkable,
                        private async::completion,
                        private executors::descriptor_watch {
   public:
    awaiter(executors::event_loop& by, int descriptor, executors::readiness what) noexcept
        : by_(by), descriptor_(descriptor), for_(what) {}
    ~awaiter() override { withdraw(); }

    bool await_ready();
    bool await_suspend(std::coroutine_handle<> continues) {
      return until_.await_suspend(continues);
    }
    void await_resume();

   private:
    void on_descriptor(std::error_code failure) noexcept override {
      failure_ = failure;
      complete();
    }
    void withdraw() noexcept;

    executors::event_loop& by_;
    const int descriptor_;
    const executors::readiness for_;
    bool watches_ = false;
    std::error_code failure_;  // Written before it is complete.
    async::until until_{*this};
  };

  executors::event_loop* by_;
  int descriptor_;
  executors::readiness for_;
};

/// The way to the node's I/O loop: see `context::io`. A value; the loop outlives it.
class io_access {
 public:
  explicit io_access(executors::event_loop& by) noexcept : by_(&by) {}

  /// See `io_operation`.
  io_operation readable(int descriptor) const noexcept {
    return {*by_, descriptor, executors::readiness::readable};
  }
  io_operation writable(int descriptor) const noexcept {
    return {*by_, descriptor, executors::readiness::writable};
  }
  /// Readable or writable.
  io_operation ready(int descriptor) const noexcept {
    return {*by_, descriptor, executors::readiness::either};
  }

 private:
  executors::event_loop* by_;
};

}  // namespace mailroom
