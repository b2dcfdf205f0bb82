#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::executors {

class event_loop;
class executor;
class turn_mark;
class turn_watch;

/// What an item wants after its turn: nothing, or to be put at the end of the queue.
enum class verdict : std::uint8_t { done, again };

/// Runs one turn of `item` on a thread of `where`. One function for all items of an executor, so
/// that the items (CAF's resumables, a mailbox of ours) need no wrapper.
using run_function = verdict (*)(void* item, executor& where) noexcept;

/// Which worker an item keeps to. `anywhere` lets the executor choose; `worker(n)` is always the
/// same thread, for items with fibers, which must not change threads.
class affinity {
 public:
  static constexpr affinity anywhere() noexcept { return affinity{0}; }
  static constexpr affinity worker(std::uint32_t index) noexcept { return affinity{index + 1}; }

  constexpr bool is_anywhere() const noexcept { return value_ == 0; }
  /// Precondition: not `anywhere`. The executor takes it modulo its number of workers.
  constexpr std::uint32_t index() const noexcept { return value_ - 1; }

  friend constexpr bool operator==(affinity, affinity) noexcept = default;

 private:
  constexpr explicit affinity(std::uint32_t value) noexcept : value_(value) {}
  std::uint32_t value_;
};

/// Live figures of one executor. Counters only grow.
struct statistics {
  std::string name;
  std::string policy;
  std::size_t threads = 0;  ///< Those included that stand in for stuck ones.
  std::size_t spares = 0;   ///< How many of them do so now.
  std::size_t queued = 0;   ///< Items waiting for their turn now.
  std::uint64_t turns = 0;
  std::uint64_t steals = 0;   ///< Items taken from another worker's queue.
  std::uint64_t parks = 0;    ///< How often a thread went to sleep.
  std::uint64_t wakeups = 0;  ///< How often a sleeping thread was woken from outside.
  std::uint64_t hops = 0;     ///< Items submitted from another thread than those that serve their
                              ///< queue: what was handed over.
  duration busy{0};  ///< Time spent in turns, summed over the threads; those that still run
                     ///< included where somebody watches, as in the next.
  duration longest_turn{0};
  std::size_t stuck = 0;          ///< Threads in a turn that has gone on for too long, now.
  std::uint64_t stuck_turns = 0;  ///< Such turns so far, each counted when it was found.
};

/// A scheduler policy and its threads. It is given opaque items and runs each for one turn at a
/// time: an item is never handed over again before its turn ended (the owner of the item sees to
/// that).
/// @threadsafe unless said otherwise; nothing here blocks but `stop`.
class executor {
 public:
  struct options {
    std::string name;                      ///< What configuration and statistics call it.
    std::size_t workers = 0;               ///< Threads; 0: as many as there are cores.
    run_function run = nullptr;            ///< Required.
    platform* host = &platform::system();  ///< Clock and threads.
    std::vector<event_loop*> loops;        ///< loop-bound only: the loops to run on, at least one.
    turn_watch* watch = nullptr;           ///< Looks for turns that do not end; null: nobody does.
    std::size_t spares = 0;  ///< work-stealing only: threads that stand in for those which `watch`
                             ///< finds stuck, at most; started when the first of them is needed.
  };

  executor() = default;
  executor(const executor&) = delete;
  executor& operator=(const executor&) = delete;
  virtual ~executor() = default;

  /// "cooperative", "work-stealing", "loop-bound".
  virtual std::string_view policy() const noexcept = 0;
  virtual const std::string& name() const noexcept = 0;

  /// What `options::run` needs to know beside the item: set by whom the items belong to, before it
  /// submits the first of them. Null until then.
  void set_owner(void* owner) noexcept { owner_.store(owner, std::memory_order_release); }
  void* owner() const noexcept { return owner_.load(std::memory_order_acquire); }

  /// Starts the threads. Called once.
  virtual void start() = 0;

  /// Puts `item` at the end of a queue; from a thread of this executor without a lock. Items
  /// submitted by one thread with the same affinity start in that order on single-threaded
  /// executors. A sleeping thread is woken only if one sleeps. After `stop` returned the item is
  /// dropped unrun (its owner keeps it alive).
  virtual void submit(void* item, affinity where = affinity::anywhere()) noexcept = 0;

  /// Arms `t` on this executor: `on_time` runs on one of its threads. Re-arming moves it.
  virtual void arm(timer& t, time_point due) noexcept = 0;

  /// See `timer_queue::cancel`.
  virtual void cancel(timer& t) noexcept = 0;

  /// Whether the calling thread is one of this executor's.
  virtual bool on_own_thread() const noexcept = 0;

  /// The worker whose thread calls: an item of this turn that is submitted with it from now on
  /// stays on this thread. `anywhere` where there is nothing to choose, and on other threads.
  virtual affinity own_worker() const noexcept { return affinity::anywhere(); }

  /// Number of different workers that `affinity::worker` can name; spare ones do not count, to
  /// which an item keeps only if it has been there (`own_worker`), but then for good.
  virtual std::size_t workers() const noexcept = 0;

  /// The workers that have run turns, spare ones included: an item for each reaches every thread.
  virtual std::vector<affinity> all_workers() const {
    std::vector<affinity> all;
    for (std::size_t i = 0; i != workers(); ++i) {
      all.push_back(affinity::worker(static_cast<std::uint32_t>(i)));
    }
    return all;
  }

  /// Whether the thread that this names is in a turn which goes on for too long; false where nobody
  /// watches.
  virtual bool is_stuck(affinity) const noexcept { return false; }

  /// The event loop that items with this affinity run on; null where threads are no loops. On
  /// loops an item should keep to one: what it waits for lives there.
  virtual event_loop* loop_of(affinity) const noexcept { return nullptr; }

  virtual statistics stats() const = 0;

  /// The thread of this mark is stuck in a turn: items that wait for the end of that turn although
  /// another thread could run them are given to one. Returns whether one stands in for it until
  /// then.
  virtual bool relieve(const turn_mark& /*stuck*/) noexcept { return false; }

  /// Runs what is queued until nothing is or `until` has passed, then ends the threads. A turn that
  /// is running is waited for. Blocks; called once, not from a thread of this executor. Items left
  /// in queues are returned so that their owner can let them go.
  virtual std::vector<void*> stop(deadline until) = 0;

 private:
  std::atomic<void*> owner_{nullptr};
};

/// Makes an executor by the name of its policy. An unknown name is `errc::invalid_value` and lists
/// the names that exist.
/// @threadsafe
result<std::unique_ptr<executor>> make_executor(std::string_view policy, executor::options with);

/// The names that `make_executor` knows, in the order they are shown to people.
std::vector<std::string_view> policies();

}  // namespace mailroom::executors
