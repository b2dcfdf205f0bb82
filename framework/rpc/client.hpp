#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/target.hpp>
#include <mailroom/framework/rpc/wanted_call.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mailroom {

namespace rpc {

/// The answer of a finished call as a T. A failure of the call, or `errc::bad_reply`.
template <class T>
result<T> read_answer(const pending_call& call) {
  if (call.failure) {
    return *call.failure;
  }
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    auto value = wire::unpack<T>(call.payload, &call.frame);
    if (!value) {
      return error(errc::bad_reply,
                   "the answer of " + call.what.names.topic + "." + call.what.names.method +
                       " cannot be read as the type asked for");
    }
    return value;
  }
}

}  // namespace rpc

/// A call that is out: `co_await` it for its `result<T>`. One flow awaits it at a time: while one
/// does, a second `co_await` throws std::logic_error.
///
/// Who drops it before the answer has come gives the call up: so does a handler that is unwound
/// where it awaits it, and a `wait_for` that has had enough. When it and its copies are gone the
/// server is told: a call that waits there is dropped, of one that runs the stop token is stopped.
/// What is to run to its end whoever waits is a `cast`, or under `shield`.
template <class T>
class [[nodiscard]] call_operation {
 public:
  explicit call_operation(ref<rpc::pending_call> call) noexcept : call_(std::move(call)) {}

  auto operator co_await() const& noexcept { return awaiter(call_); }
  auto operator co_await() && noexcept { return awaiter(std::move(call_)); }

 private:
  class awaiter : public async::parkable {
   public:
    explicit awaiter(rpc::wanted_call waited) noexcept : call_(std::move(waited)), until_(*call_) {}
    bool await_ready() const { return until_.await_ready(); }
    bool await_suspend(std::coroutine_handle<> continues) {
      return until_.await_suspend(continues);
    }
    result<T> await_resume() const {
      until_.await_resume();
      return rpc::read_answer<T>(*call_);
    }

   private:
    rpc::wanted_call call_;
    async::until until_;
  };

  rpc::wanted_call call_;
};

/// What a client does differently from its target and the defaults; empty means unchanged. The
/// texts are lent until `prepare` returns, for the same reason as those of a `target_view`.
struct call_options {
  /// How long calls may take; default 60 s. It may be hours: a server that dies ends its calls at
  /// once, one that falls silent after three of its heartbeats, and one that drops a call says so
  /// (what Oslo Messaging needs a call monitor for, every session does).
  std::optional<duration> timeout = {};
  std::optional<std::string_view> name_space = {};
  std::optional<std::string_view> version = {};
  std::optional<std::string_view> server = {};
  std::optional<bool> fanout = {};
  std::optional<bool> wait_for_ready =
      {};  ///< Wait for a server within the timeout instead of failing at once.
  std::optional<std::uint8_t> priority =
      {};  ///< From 0 to 7, the most urgent, as which all above it is taken; the default is that of
           ///< the call that the handler serves, or 0. For endpoints that keep their calls by it
           ///< (`queue_policy::by_priority`).
  /// How often a call may be tried again by itself, on another server, within its deadline: after
  /// it was refused there (`busy`, `stopping`, ...) and so has provably not run, and if it is
  /// idempotent also after `lost`. Default 2; 0 never. See PROTOCOL.md, section 8.
  std::optional<std::uint8_t> retries = {};
  /// Calls may run twice: they are retried after `lost` too, with a key by which a server that has
  /// seen one answers it once. Not said: as `mailroom::idempotent` of the method says, once a
  /// server has answered a call of it.
  std::optional<bool> idempotent = {};
  std::optional<mailroom::balance> balance = {};  ///< Among several servers; default round robin.
  /// Calls with equal keys go to the same server while it is up and has no more than its share
  /// (`balance::by_key`, which this implies). For what servers keep in memory by key: an affinity,
  /// and no promise.
  std::optional<std::string_view> key = {};
};

/// Calls the methods of one target (Oslo Messaging: RPCClient). Cheap to copy; refers to its node,
/// which outlives it; when that has been stopped, calls fail with `cancelled` (not run), also after
/// it was started again: make another client then. Messages of one client to one server start in
/// the order they were sent. Errors are `result`s: see `errc`; calls from a handler inherit its
/// deadline.
/// @threadsafe
class client {
 public:
  static constexpr duration default_timeout = std::chrono::seconds(60);

  client(rpc::connector& through, target_view to);
  client(const client& other)
      : through_(other.through_),
        to_(other.to_),
        with_(other.with_),
        timeout_(other.timeout_),
        priority_(other.priority_) {}
  client& operator=(const client&) = delete;

  /// A client that differs in what the options name.
  client prepare(call_options options) const;
  /// A client for all servers of the topic at once, and all instances there; casts only.
  client fanout() const { return prepare({.fanout = true}); }

  /// Asks and waits for the answer: blocks a thread that is no actor's, parks a suspending handler.
  /// In a plain handler or a coroutine it is refused with `errc::would_block`, since it would stop
  /// everybody else there.
  template <class T, class... Args>
  result<T> call(std::string_view method, const Args&... arguments) const {
    if (const auto* here = async::current_flow(); here != nullptr && here->on == nullptr) {
      return would_block(method, *here);
    }
    auto sent = send(method, arguments...);
    if (!sent) {
      return sent.error();
    }
    const rpc::wanted_call wanted(*std::move(sent));
    async::wait(*wanted);
    return rpc::read_answer<T>(*wanted);
  }

  /// Asks; the answer is awaited in a coroutine: `co_await stock.async_call<int>("reserve", "bolt",
  /// 3)`. The call is out when this returns, so several may be awaited together (`gather`).
  ///
  /// With g++ 12, a braced argument that owns something, as in `async_call<int>("put",
  /// order{"bolt", 3})`, is refused: it needs a name first, since that compiler would destroy it
  /// twice (see `task`).
  template <class T, class... Args>
  call_operation<T> async_call(std::string_view method, Args&&... arguments) const {
    static_assert((async::may_be_braced<Args> && ...),
                  "g++ 12 destroys the members of a braced argument twice in a statement with a "
                  "co_await: give the argument a name before");
    auto sent = send(method, arguments...);
    return call_operation<T>(sent ? *std::move(sent) : failed(sent.error()));
  }

  /// Asks, from any thread and without waiting; the future must not be waited for inside a handler.
  /// Who drops it does not give the call up: it goes on to its end.
  template <class T, class... Args>
  std::future<result<T>> future_call(std::string_view method, const Args&... arguments) const {
    auto sent = send(method, arguments...);
    return future_for<T>(sent ? *std::move(sent) : failed(sent.error()));
  }

  /// Tells. Success means that a live server's connection has accepted it; what becomes of it there
  /// is not told. `errc::busy` if there is no room, `errc::no_server` if there is no server (but
  /// for fanout, which goes to as many as there are).
  template <class... Args>
  result<void> cast(std::string_view method, const Args&... arguments) const {
    const auto what = find(method);
    if (!what) {
      return what.error();
    }
    return through_->cast(**what, to_.fanout, settings(), to_.server, arguments...);
  }

  const target& to() const noexcept { return to_; }

 private:
  static constexpr std::size_t remembered = 8;

  template <class... Args>
  result<ref<rpc::pending_call>> send(std::string_view method, const Args&... arguments) const {
    if (to_.fanout) {
      return error(errc::invalid_target, "a call goes to one server; fanout is for casts");
    }
    const auto what = find(method);
    if (!what) {
      return what.error();
    }
    return through_->call(**what, settings(), to_.server, arguments...);
  }

  template <class T>
  static std::future<result<T>> future_for(ref<rpc::pending_call> call);

  result<const rpc::method_name*> find(std::string_view method) const {
    for (const auto& each : known_) {
      const auto* name = each.load(std::memory_order_acquire);
      if (name == nullptr) {
        break;
      }
      if (name->names.method == method) {
        return name;
      }
    }
    return learn(method);
  }
  result<const rpc::method_name*> learn(std::string_view method) const;
  rpc::call_settings settings() const noexcept;
  static error would_block(std::string_view method, const async::flow& here);
  ref<rpc::pending_call> failed(const error& why) const;

  rpc::connector* through_;
  target to_;
  rpc::call_settings with_;  // But for what depends on the moment.
  duration timeout_ = default_timeout;
  std::optional<std::uint8_t> priority_;
  mutable std::array<std::atomic<const rpc::method_name*>, remembered> known_{};
};

namespace rpc {

/// Continues nobody: keeps a promise when its call is done.
template <class T>
class promise_keeper final : public async::home, public async::work {
 public:
  explicit promise_keeper(ref<pending_call> call) : call_(std::move(call)) {
    outside_.where = this;
    waiter_.prepare(outside_, {});
  }
  std::future<result<T>> start() {
    auto future = promise_.get_future();
    if (!call_->attach(waiter_)) {
      keep();
    }
    return future;
  }
  void post(async::work&) noexcept override { keep(); }
  void run() noexcept override {}
  void arm(executors::timer&, time_point) noexcept override {}
  void cancel(executors::timer&) noexcept override {}
  time_point now() const noexcept override { return {}; }

 private:
  void keep() noexcept {
    promise_.set_value(read_answer<T>(*call_));
    delete this;
  }

  ref<pending_call> call_;
  async::flow outside_;
  async::waiter waiter_;
  std::promise<result<T>> promise_;
};

}  // namespace rpc

template <class T>
std::future<result<T>> client::future_for(ref<rpc::pending_call> call) {
  return (new rpc::promise_keeper<T>(std::move(call)))->start();
}

}  // namespace mailroom
