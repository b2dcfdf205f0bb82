#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/io.hpp>
#include <mailroom/framework/async/offload.hpp>
#include <mailroom/framework/async/sleep.hpp>
#include <mailroom/framework/rpc/call_chain.hpp>
#include <mailroom/framework/rpc/stop_signal.hpp>
#include <mailroom/framework/rpc/target.hpp>
#include <mailroom/framework/rpc/ticker.hpp>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mailroom {

class client;

namespace rpc {
class activation;
class caller;
class incoming;
class connector;
}  // namespace rpc

/// What a handler knows about the call that it serves, and its way to the world. Every handler gets
/// one as its first argument; it lives until the handler ends, and is used by that handler only, on
/// the thread that it runs on. Nothing here blocks that thread.
class context {
 public:
  explicit context(const rpc::incoming& call, async::style how);
  /// For a flow that serves no call (`node::run`).
  context(rpc::activation& at, std::string_view name);
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  /// When the caller stops waiting. Calls made from here inherit it if theirs is later.
  mailroom::deadline deadline() const noexcept { return flow_.until; }

  /// Becomes stopped when the call's deadline passes, when its caller gives it up or its connection
  /// ends, and when the server ends its handlers (after that whatever this one waits for throws);
  /// stopped from the start if that has happened. A caller may give up and not be heard: it is a
  /// hint. It happens on a turn of the endpoint: stop callbacks run beside no handler of it (but
  /// for a blocking handler's own, which runs meanwhile) and cannot wait, and a plain handler sees
  /// no change while it runs.
  std::stop_token stop_token();

  /// The node that asked, as it calls itself.
  std::string_view caller() const noexcept { return caller_; }

  /// "topic.method".
  std::string_view name() const noexcept { return flow_.name; }

  /// A client for calls from this handler.
  mailroom::client client(target_view to) const;

  /// Suspends this handler: `co_await ctx.sleep(10ms)` in a coroutine, `ctx.sleep(10ms)` in a
  /// suspending one.
  sleep_operation sleep(duration pause) const { return sleep_operation(pause); }

  /// Runs a function of values on a thread that it may block, beside this handler and without its
  /// endpoint, as soon as this is called; yields its result, or throws what it throws, on a turn of
  /// the endpoint: `co_await ctx.offload(fn)` in a coroutine, `wait(ctx.offload(fn))` in a
  /// suspending handler. It must not refer to what may be gone when it runs: who is cancelled
  /// leaves it to itself. (asyncio: run_in_executor)
  ///
  /// With g++ 12, a lambda that holds what has a destructor needs a name before, and is passed by
  /// it (see `task`).
  template <class Function>
  auto offload(Function&& function) const {
    return async::offload_operation<std::decay_t<Function>>(
        pool(), async::detail::kept_function<Function>(function));
  }

  /// Waits for descriptors, on every executor; the handler goes on as a turn of its endpoint:
  /// `co_await ctx.io().readable(fd)` in a coroutine, `wait(ctx.io().readable(fd))` in a suspending
  /// or blocking handler. See `io_operation`. An I/O loop watches, on loop-bound the endpoint's
  /// own; a library that brings its own descriptor (libpq, libcurl, inotify) needs no thread.
  io_access io() const;

  /// Runs `fn` as a turn of the endpoint every `period`, from one period on, until the endpoint
  /// stops or the ticker goes; keep it in the endpoint's object. It does not drift, and turns that
  /// were missed are not made up for. It returns nothing, or `task<void>`, whose end is waited for;
  /// what it throws is logged. In an exclusive endpoint it runs between calls. Not from a blocking
  /// handler, which is not on a turn (std::logic_error); `period` is more than 0
  /// (std::invalid_argument).
  template <class Function>
  ticker every(duration period, Function&& fn) const {
    require_turn();
    auto begun = ref<rpc::tick>::adopt(new rpc::tick_of<std::decay_t<Function>>(
        at_, flow_.name, period, async::detail::kept_function<Function>(fn)));
    begun->start();
    return ticker(std::move(begun));
  }

  async::flow& flow() noexcept { return flow_; }
  /// For who runs the handler: stops its token, if it has asked for one.
  void request_stop() noexcept;

 private:
  executors::blocking_pool& pool() const;
  void require_turn() const;

  async::flow flow_;
  rpc::activation& at_;
  const rpc::caller* from_ = nullptr;
  bool shared_ = false;  // Others may wait for the answer.
  std::string_view caller_;
  std::unique_ptr<rpc::call_origin> origin_;
  rpc::stop_signal::owner stop_;  // Null until it is asked for.
};

}  // namespace mailroom
