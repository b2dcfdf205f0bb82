#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/sleep.hpp>
#include <mailroom/framework/rpc/stop_signal.hpp>
#include <mailroom/framework/rpc/target.hpp>

#include <cstdint>
#include <stop_token>
#include <string_view>

namespace mailroom {

class client;

namespace rpc {
class activation;
class incoming;
class connector;
}  // namespace rpc

/// What a handler knows about the call that it serves, and its way to the world. Every handler gets
/// one as its first argument; it lives until the handler ends, and is used by that handler only.
class context {
 public:
  explicit context(const rpc::incoming& call, async::style how);
  /// For a flow that serves no call (`node::run`).
  context(rpc::activation& at, std::string_view name);
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  /// When the caller stops waiting. Calls made from here inherit it if theirs is later.
  mailroom::deadline deadline() const noexcept { return flow_.until; }

  /// Becomes stopped when the call's deadline passes and when the server ends its handlers (after
  /// that whatever this one waits for throws); stopped from the start if that has happened. It is
  /// not when the caller gives up before its deadline: a server does not hear of that yet. It
  /// happens on a turn of the endpoint: stop callbacks run beside no handler of it and cannot wait,
  /// and a handler that does not wait either sees no change while it runs.
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

  async::flow& flow() noexcept { return flow_; }

 private:
  async::flow flow_;
  rpc::activation& at_;
  std::string_view caller_;
  rpc::stop_signal::owner stop_;  // Null until it is asked for.
};

}  // namespace mailroom
