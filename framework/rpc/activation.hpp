#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/executors/blocking_pool.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/rpc/call_batch.hpp>
#include <mailroom/framework/rpc/call_chain.hpp>
#include <mailroom/framework/rpc/relocation.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace mailroom::rpc {

class activation;
class blocking_call;
class call_lanes;
class cancel_note;
class connector;
class given_up_calls;
class method;
class stop_signal;
class tick;
struct endpoint_definition;

/// What serves an activation: gives it turns and the timers of its executor. The CAF actor is one
/// (actors/).
class runner {
 public:
  /// The turn after this one is at the executor that `to` names. Called on a turn that then ends
  /// and wants another, while nothing of the activation is bound to a thread.
  virtual void move(relocation& to) noexcept = 0;

  /// The name of the executor that it is served by. @threadsafe
  virtual const std::string& executor_name() const noexcept = 0;

  /// The activation left idleness and wants a turn. Called once until a turn has returned false.
  /// @threadsafe
  virtual void ring() noexcept = 0;

  virtual void arm(executors::timer& t, time_point due) noexcept = 0;
  virtual void cancel(executors::timer& t) noexcept = 0;
  virtual time_point now() const noexcept = 0;

  /// On a turn: later turns come on the same thread.
  virtual void keep_thread() noexcept {}

  /// For blocking handlers and offloaded functions; null: there are none. @threadsafe
  virtual executors::blocking_pool* pool() noexcept { return nullptr; }

  /// Watches descriptors for its handlers, until all of them have ended; null: nobody does.
  /// @threadsafe
  virtual executors::event_loop* loop() noexcept { return nullptr; }

  /// After `stop` or `end`: nothing runs any more and nothing is queued. May be called more than
  /// once.
  virtual void quiet() noexcept = 0;

 protected:
  ~runner() = default;
};

/// One endpoint object with its queue: the state machine at the heart of mailroom.
///
///     idle ──post──▶ scheduled ──turn──▶ running ──nothing left──▶ idle
///                        ▲                  │
///                        └──── work left ───┘          stopping, ended: see `stop` and `end`
///                                                      moving: see `relocate`
///
/// The state lives in the inbox head: a mark (idle), or a list, possibly empty, of what was posted
/// (scheduled or running). `post` moves idle to scheduled and rings the runner; only a turn moves
/// back, by an exchange that fails if something was posted meanwhile. So there is at most one turn
/// at a time and none is ever missed; the model test explores all interleavings. Handlers of one
/// activation therefore never run at the same moment.
class activation final : public async::home {
 public:
  /// Calls and casts. Each ends in one of these but `started`.
  struct counters {
    std::atomic<std::uint64_t> started{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> failed{0};     ///< Answered with an error.
    std::atomic<std::uint64_t> expired{0};    ///< Before the start, or before the answer.
    std::atomic<std::uint64_t> refused{0};    ///< No room for it, or the endpoint was stopping.
    std::atomic<std::uint64_t> dropped{0};    ///< It waited, and gave its place to others.
    std::atomic<std::uint64_t> cancelled{0};  ///< It waited, and its caller gave it up.
  };

  activation(std::shared_ptr<const endpoint_definition> what,
             std::string topic,
             connector& calls_out,
             runner& served_by);
  ~activation();

  /// @threadsafe
  void post(async::work& todo) noexcept override;

  /// Posts calls that have arrived; takes them over. While a turn takes so long that nobody looks
  /// at what comes, no more wait than the queue may hold, or `most_unseen`: over it they are
  /// refused, whatever the policy. On the loop's thread of their caller.
  void deliver(call_batch& arrived) noexcept;
  /// One of several instances: a call was chosen to be delivered here next. Until then it counts as
  /// queued, or all calls of a frame would go to the same instance.
  void expect() noexcept { delivered_.fetch_add(1, std::memory_order_relaxed); }
  static constexpr std::uint32_t most_unseen = 65'536;

  /// Runs one turn: at most `max_calls` pieces of work, and not much longer than a millisecond.
  /// True: there is more, and the runner must give it another turn; false: it is idle and rings
  /// when it wants one, perhaps at once, so that the runner must not touch it afterwards. Only the
  /// runner calls it, one at a time.
  bool turn() noexcept;
  static constexpr std::size_t max_calls = 256;

  /// Nothing new starts: queued and later calls are refused with `errc::stopping`; what runs goes
  /// on.
  /// @threadsafe
  void stop() noexcept;

  /// Ends what still runs: stop tokens are stopped, then every flow is resumed with
  /// `flow_cancelled` where it waits. Takes effect on the next turn.
  /// @threadsafe
  void end() noexcept;

  /// Moves it to another executor, in the order asked. Takes effect at the end of a turn; parked
  /// fibers, which are bound to their thread, end first, and meanwhile no call starts. What waits
  /// in the queue and suspended coroutines go along.
  /// @threadsafe
  void relocate(std::shared_ptr<relocation> to);

  /// Gives up a relocation with `why`. False: it has set out, and does not come back.
  /// @threadsafe
  bool withdraw(std::shared_ptr<relocation> what, const error& why);

  /// @threadsafe
  const std::string& executor_name() const noexcept { return runner_.executor_name(); }

  /// It is stopped or ended, and nothing of it runs or waits. @threadsafe
  bool quiet() const noexcept {
    return seen_.load(std::memory_order_acquire) != phase::open && running() == 0;
  }

  /// The method whose blocking handler has the endpoint to itself; null if none. @threadsafe
  const method* blocked_by() const noexcept { return blocked_by_.load(std::memory_order_acquire); }

  /// Calls started and not ended. @threadsafe
  std::size_t running() const noexcept { return running_.load(std::memory_order_acquire); }
  /// Calls that wait to be started, those that no turn has looked at yet included. @threadsafe
  std::size_t queued() const noexcept {
    return std::size_t{unseen()} + queued_.load(std::memory_order_relaxed);
  }
  /// Calls that waited and do no more, modulo 2^32. @threadsafe
  std::uint32_t left() const noexcept {
    return accepted_.load(std::memory_order_relaxed) - queued_.load(std::memory_order_relaxed);
  }
  /// Calls wait since it is to move, and cannot yet. @threadsafe
  bool waits_to_move() const noexcept { return waits_to_move_.load(std::memory_order_relaxed); }
  /// None of those that wait has been started for too long: while that is so, new ones are refused.
  /// @threadsafe
  void set_stuck(bool stuck) noexcept { stuck_.store(stuck, std::memory_order_relaxed); }

  const std::string& topic() const noexcept { return topic_; }
  const endpoint_definition& definition() const noexcept { return *definition_; }
  const counters& counts() const noexcept { return counters_; }

  // For calls and contexts, on a turn.

  /// What calls made by the handler that starts now tell of it; null: nothing, since nothing in its
  /// chain could wait for itself.
  std::unique_ptr<call_origin> origin_of(const method& what, const ref<call_chain>& outer);

  /// Neither stopped nor ended.
  bool is_open() const noexcept { return seen_.load(std::memory_order_relaxed) == phase::open; }
  bool has_ended() const noexcept { return seen_.load(std::memory_order_relaxed) == phase::ended; }
  connector& calls_out() const noexcept { return calls_out_; }
  executors::blocking_pool* pool() const noexcept { return runner_.pool(); }
  executors::event_loop* loop() const noexcept { return runner_.loop(); }
  // A blocking handler's thread uses these three too, while it occupies the endpoint.
  void arm(executors::timer& t, time_point due) noexcept override { runner_.arm(t, due); }
  void cancel(executors::timer& t) noexcept override { runner_.cancel(t); }
  time_point now() const noexcept override { return runner_.now(); }
  void hold() noexcept override { flow_begins(); }
  void let_go() noexcept override { flow_ends(); }
  /// Reads the clock for a call that is being answered, which ends its piece of work: the turn need
  /// not read it again.
  time_point answer_time() noexcept { return answered_at_ = runner_.now(); }
  void flow_begins() noexcept;
  void flow_ends() noexcept;
  void fiber_begins() noexcept override {
    if (fibers_++ == 0) {
      runner_.keep_thread();
    }
  }
  void fiber_ends() noexcept override { --fibers_; }
  /// Until `vacate` nothing runs here but what runs beside handlers.
  void occupy(blocking_call& by) noexcept;
  void vacate() noexcept;
  bool is_occupied_by(const async::flow& handler) const noexcept;
  counters& counting() noexcept { return counters_; }
  /// Puts calls that were delivered into the queue.
  void accept(call_batch& arrived) noexcept;
  /// Drops those of the calls that wait; stops the tokens of those that run.
  void give_up(const cancel_note& what) noexcept;
  /// It ran when that was told, or runs.
  bool is_given_up(const caller& by, std::uint64_t id) const noexcept;
  /// Signals to stop when it ends; each takes itself out.
  void list(stop_signal& handler) noexcept;
  void unlist(stop_signal& handler) noexcept;
  /// Ticks to leave when it stops; each takes itself out.
  void list(tick& begun) noexcept;
  void unlist(tick& left) noexcept;
  /// Whether a tick may run now: in an exclusive endpoint not while a call does.
  bool may_tick() const noexcept;
  void tick_later(async::work& turn) noexcept;

 private:
  enum class phase : std::uint8_t { open, stopping, ended };
  static constexpr time_point never = time_point::min();
  class relocation_note;
  // What most endpoints never have; an idle one should cost little.
  struct set_aside {
    async::work* held = nullptr;  // What came while it was occupied, oldest first.
    async::work* held_last = nullptr;
    async::work* late_ticks = nullptr;  // They wait for the end of the exclusive call.
    async::work* late_ticks_last = nullptr;
    tick* ticks = nullptr;
    std::uint64_t outermost = 0;               // The call that others of its chain may run within.
    std::unique_ptr<call_lanes> lanes;         // Null, unless calls wait by priority.
    time_point next_sweep = never;             // For expired calls, when the queue is full.
    std::unique_ptr<given_up_calls> given_up;  // Null until one was.
  };

  void take_inbox() noexcept;
  // Calls delivered or expected, and not accepted yet. What is seen as accepted is seen as
  // delivered.
  std::uint32_t unseen() const noexcept {
    const std::uint32_t accepted = accepted_.load(std::memory_order_acquire);
    return delivered_.load(std::memory_order_relaxed) - accepted;
  }
  void enqueue(call_batch& arrived) noexcept;
  // New calls do not catch up on more than a few turns.
  void worked(std::size_t pieces) noexcept {
    since_new_ = static_cast<std::uint32_t>(std::min<std::size_t>(since_new_ + pieces, 1024));
  }
  /// Null: it was refused.
  const method* start_next(time_point now) noexcept;
  bool start(const call_batch& from, const arrived_call& call, time_point now) noexcept;
  duration needed_to_run(const method& what) const noexcept;
  void sort_out_own_chain(call_batch& arrived) noexcept;
  time_point after_work() noexcept;
  bool may_start() const noexcept;

  // The queue (call_queue.cpp).
  void make_room_for(call_batch& arrived) noexcept;
  void drop_oldest(call_batch& arrived, std::size_t over, const error& why) noexcept;
  void displace(call_batch& arrived,
                std::size_t over,
                const error& no_room,
                const error& dropped) noexcept;
  void end_expired() noexcept;
  void drop_given_up(const cancel_note& what) noexcept;
  bool take_given_up(const caller& by, const arrived_call& call) noexcept;
  template <class Wanted>
  std::size_t end_waiting(const Wanted& wanted, const error& why) noexcept;
  void keep_by_priority(call_batch& arrived) noexcept;
  void refill_queue() noexcept;
  void refuse(call_batch& arrived, std::size_t keep, const error& why) noexcept;
  void refuse_queue(const error& why) noexcept;
  void no_longer_queued(std::size_t calls) noexcept;
  template <class See>
  void each_waiting_list(const See& see) noexcept;

  bool run_beside() noexcept;
  void obey() noexcept;
  set_aside& aside() noexcept;
  bool run_late_tick() noexcept;
  void end_ticks() noexcept;
  void end_handlers() noexcept;
  void begin_relocation(std::shared_ptr<relocation> to) noexcept;
  void forget_relocation(const relocation& what) noexcept;
  void refuse_relocations() noexcept;
  void relocations_changed() noexcept;
  bool leaves() noexcept;
  void arrive() noexcept;

  std::atomic<async::work*> inbox_;
  async::work* arrived_ = nullptr;  // Oldest first, taken from the inbox.
  async::work* arrived_last_ = nullptr;
  batch_list queue_;
  blocking_call* occupant_ = nullptr;    // On turns only, as all up to rest_until_.
  stop_signal* signals_ = nullptr;       // Of handlers that asked for it.
  std::unique_ptr<set_aside> aside_;     // Null, until something was.
  std::unique_ptr<relocations> moving_;  // Null, unless relocations wait.
  std::uint32_t fibers_ = 0;
  std::uint32_t since_new_ = 0;    // Pieces of work since the last new call, most of the time.
  time_point rest_until_ = never;  // Until then all else goes before new calls.
  std::atomic<std::uint32_t> delivered_{0};  // Calls, modulo 2^32.
  std::atomic<std::uint32_t> accepted_{0};   // Of these. Written on turns only, as the next three.
  std::atomic<bool> stuck_{false};           // Written by the control thread.
  std::atomic<bool> waits_to_move_{false};
  std::atomic<const method*> blocked_by_{nullptr};
  std::atomic<std::uint32_t> queued_{0};
  std::atomic<std::uint32_t> running_{0};
  std::atomic<phase> wanted_{phase::open};
  std::atomic<phase> seen_{phase::open};  // Written on turns only.

  std::shared_ptr<const endpoint_definition> definition_;
  std::string topic_;
  connector& calls_out_;
  runner& runner_;
  counters counters_;
  time_point answered_at_ = never;  // By the present piece of work. On turns only.

  // Posted to get a turn in which the wanted phase is seen.
  class nudge final : public async::work {
   public:
    void run() noexcept override {}
    bool beside_handlers() const noexcept override { return true; }
  };
  nudge stop_nudge_;
  nudge end_nudge_;
};

}  // namespace mailroom::rpc
