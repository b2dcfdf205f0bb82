#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <string_view>

namespace mailroom::async {

class completion;
class waiter;

/// One thing to be done in a turn of a home. Intrusive: it sits in at most one home's queue.
class work {
 public:
  work() noexcept = default;
  work(const work&) = delete;
  work& operator=(const work&) = delete;

  /// Called on the home's turn, once for each `post`.
  virtual void run() noexcept = 0;

  /// Called instead of `run` when the home is destroyed before its turn came.
  virtual void dropped() noexcept {}

  /// Whether it is done even while a blocking handler occupies the home: it continues no handler.
  virtual bool beside_handlers() const noexcept { return false; }

  work* next = nullptr;  ///< For the queue that holds it.

 protected:
  ~work() = default;
};

/// Where flows of one actor run: what is posted runs one after the other, in turns of that actor.
class home {
 public:
  home() noexcept = default;
  home(const home&) = delete;
  home& operator=(const home&) = delete;

  /// @threadsafe
  virtual void post(work& todo) noexcept = 0;

  /// Timers of the executor that serves this home. On its turn only.
  virtual void arm(executors::timer& t, time_point due) noexcept = 0;
  virtual void cancel(executors::timer& t) noexcept = 0;
  virtual time_point now() const noexcept = 0;

  /// Fibers of its flows: while there are some, turns come on one thread. On the home's turn.
  virtual void fiber_begins() noexcept {}
  virtual void fiber_ends() noexcept {}

  /// Something runs that no call accounts for: between the two the home is not at its end. On its
  /// turn.
  virtual void hold() noexcept {}
  virtual void let_go() noexcept {}

  /// The actor itself, where a part of its flows has a home of its own (`nested_home`).
  virtual home& root() noexcept { return *this; }

 protected:
  virtual ~home() = default;  // Virtual, since `waiter` is a friend and could delete one.

  /// Resumes every flow that waits here; it finds `flow_cancelled` thrown at the point where it
  /// waits. On the home's turn.
  void cancel_waiting() noexcept;
  bool anything_waiting() const noexcept { return waiting_ != nullptr; }

 private:
  friend class waiter;
  waiter* waiting_ = nullptr;  // All that wait, newest first. On the home's turn only.
};

/// How a handler's code waits.
enum class style : std::uint8_t {
  plain,       ///< Not at all: it runs to its end.
  coroutine,   ///< At `co_await`.
  suspending,  ///< Implicitly, on a fiber of its own.
  blocking,    ///< Implicitly, and however it likes, on a thread of its own.
};

/// What a flow that waits implicitly stands on: a fiber, or a thread that it has to itself.
class stack {
 public:
  stack() noexcept = default;
  stack(const stack&) = delete;
  stack& operator=(const stack&) = delete;

  /// Returns when somebody resumes it. On this stack only.
  virtual void park() noexcept = 0;
  /// Continues it. On the turn of its flow's home.
  virtual void resume() noexcept = 0;

 protected:
  ~stack() = default;
};

/// Where a flow comes from, for who sends messages on its behalf. Nothing to async.
class lineage {
 public:
  lineage(const lineage&) = delete;
  lineage& operator=(const lineage&) = delete;

 protected:
  lineage() noexcept = default;
  ~lineage() = default;
};

/// One running handler (or detached task): what is the same wherever it continues.
struct flow {
  home* where = nullptr;
  style how = style::plain;
  stack* on = nullptr;              ///< Null: it cannot wait implicitly.
  deadline until;                   ///< Nested calls inherit it.
  std::uint8_t priority = 0;        ///< The same, unless they have one of their own.
  const lineage* within = nullptr;  ///< Told by nested calls (`rpc::call_origin`); null: nothing.
  std::string_view name;            ///< "topic.method", for messages to people.
  std::uint64_t call = 0;           ///< The call that it serves, as its caller counts; 0: none.
  bool cancelled = false;           ///< Every further wait throws `flow_cancelled`.

  /// It is current no more, though its scope may end later: a signal handler may look at the
  /// current flow at any moment.
  ~flow();
};

/// The flow whose code runs on this thread now; null outside of handlers.
flow* current_flow() noexcept;

/// Makes a flow current for a scope.
class flow_scope {
 public:
  explicit flow_scope(flow* entered) noexcept;
  ~flow_scope();
  flow_scope(const flow_scope&) = delete;
  flow_scope& operator=(const flow_scope&) = delete;

 private:
  friend flow* current_flow() noexcept;
  friend struct flow;

  flow* entered_;
  flow_scope* const outer_;
};

/// Thrown at the point where a flow waits when its actor is being ended. Not a std::exception, so
/// that handlers that catch those do not swallow it. (asyncio: CancelledError is a BaseException
/// for the same reason.)
struct flow_cancelled {};

/// A wait in progress: continues its flow when the completion it is attached to is done. Lives in
/// the waiting frame. One thread at a time, on the flow's home.
class waiter final : public work {
 public:
  waiter() noexcept = default;

  /// Remembers who continues; call before `completion::attach`. Throws std::logic_error while it
  /// waits.
  void prepare(flow& waiting, std::coroutine_handle<> continues) {
    if (on_ != nullptr) {
      awaited_twice();
    }
    flow_ = &waiting;
    handle_ = continues;
  }
  /// Not to be cancelled: whoever waits here waits for parts of its own flow, which end by
  /// themselves.
  void shield() noexcept { shielded_ = true; }
  bool cancelled() const noexcept { return cancelled_; }
  home& where() const noexcept { return *flow_->where; }

  void run() noexcept override;

 private:
  friend class completion;
  friend class home;

  [[noreturn]] static void awaited_twice();
  void link(completion& on) noexcept;
  void unlink() noexcept;

  flow* flow_ = nullptr;
  std::coroutine_handle<> handle_;
  completion* on_ = nullptr;  // Null: it does not wait.
  waiter* newer_ = nullptr;
  waiter* older_ = nullptr;
  bool cancelled_ = false;
  bool shielded_ = false;
};

/// Something that becomes done once, on any thread, and that at most one flow waits for.
class completion {
 public:
  completion() noexcept = default;
  completion(const completion&) = delete;
  completion& operator=(const completion&) = delete;

  bool done() const noexcept { return state_.load(std::memory_order_acquire) == done_mark(); }

  /// Makes it done and continues whoever waits. Only the first call counts. After it, `this` may be
  /// gone.
  /// @threadsafe
  void complete() noexcept;

  /// From now on `by` is continued by `complete`. False: it is done already, do not wait. Throws
  /// std::logic_error if somebody waits for it already: who came second would go on as if it were
  /// done.
  bool attach(waiter& by);

  /// Takes the waiter back. False: `complete` was faster, and `by` is or will be posted.
  bool detach(waiter& by) noexcept;

 protected:
  ~completion() = default;

 private:
  static work* done_mark() noexcept;
  std::atomic<work*> state_{nullptr};
};

/// A completion by itself.
class event final : public completion {};

/// Waits in whatever way the current flow can: parks the fiber, or blocks the thread if there is no
/// flow. False at once inside plain handlers and coroutines, which must not block. Throws
/// `flow_cancelled` when the actor is being ended, and as `attach`.
bool wait(completion& what);

/// Base of awaiters that a fiber can use as a coroutine does: whose `await_suspend` attaches a
/// `waiter` of the current flow. All others are awaited by a coroutine on the fiber's behalf.
class parkable {};

/// Ends the flow that calls it. Apart, so that what calls it is small enough to be inlined.
[[noreturn]] void throw_cancelled();

/// `co_await until(completion)`.
class until : public parkable {
 public:
  explicit until(completion& what) noexcept : what_(what) {}

  bool await_ready() const {
    if (const flow* now = current_flow(); now != nullptr && now->cancelled) {
      throw_cancelled();
    }
    return what_.done();
  }
  bool await_suspend(std::coroutine_handle<> continues) {
    waiter_.prepare(*current_flow(), continues);
    return what_.attach(waiter_);
  }
  void await_resume() const {
    if (waiter_.cancelled()) {
      throw_cancelled();
    }
  }

 private:
  completion& what_;
  waiter waiter_;
};

}  // namespace mailroom::async
