#pragma once

#include <mailroom/framework/executors/parker.hpp>
#include <mailroom/framework/executors/run_queue.hpp>
#include <mailroom/framework/executors/turn_queue.hpp>
#include <mailroom/framework/executors/turn_watch.hpp>
#include <mailroom/framework/executors/work_stealing.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace mailroom::executors {

/// The item that a worker's turn submitted last. Only its owner fills it; whoever empties it, owner
/// or thief, exchanges.
class last_in_slot {
 public:
  /// Returns what was there before, null if nothing. Owner only.
  void* put(void* item) noexcept {
    if (item_.load(std::memory_order_relaxed) == nullptr) {
      item_.store(item, std::memory_order_release);  // Nobody else can have filled it meanwhile.
      return nullptr;
    }
    return item_.exchange(item, std::memory_order_acq_rel);
  }

  /// Null if there is nothing. @threadsafe
  void* take() noexcept {
    return empty() ? nullptr : item_.exchange(nullptr, std::memory_order_acq_rel);
  }

  bool empty() const noexcept { return item_.load(std::memory_order_relaxed) == nullptr; }

 private:
  std::atomic<void*> item_{nullptr};
};

struct alignas(64) work_stealing::worker {
  worker(work_stealing& all, std::size_t its_index)
      : owner(all),
        index(its_index),
        mark(all.with_.watch, all),
        random(static_cast<std::uint32_t>(its_index) * 2654435761U + 1U) {}

  work_stealing& owner;
  const std::size_t index;
  turn_mark mark;
  std::thread thread;

  // Its thread only.
  std::uint32_t random;  // Which victim to begin with; any sequence does.
  unsigned tick = 0;
  time_point looked_at;  // For what came from outside.
  unsigned slot_runs = 0;
  time_point slot_since;        // When the first of these runs began.
  bool pinned_turn = false;     // Where `next` found the item: `again` puts it back there.
  bool timers_changed = false;  // Before a long turn somebody must sleep until the next timer.
  bool searching = false;       // Also set, under idle_mutex_, by the one that wakes it.

  // Written under idle_mutex_.
  std::atomic<bool> helps{true};      // False: it is a spare one that rests.
  std::atomic<bool> relieved{false};  // A spare one stands in for it.

  turn_meter meter;
  counter steals;
  counter parks;

  // What others touch.
  alignas(64) run_queue queue;
  last_in_slot slot;
  turn_queue pinned;
  parker sleep;

  /// The worker whose thread calls; null on threads that are no executor's.
  static thread_local worker* current;
};

}  // namespace mailroom::executors
