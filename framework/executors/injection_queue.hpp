#pragma once

#include <mailroom/framework/executors/run_queue.hpp>
#include <mailroom/framework/executors/turn_queue.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

namespace mailroom::executors {

/// Where items wait that belong to no worker yet: from other threads, and what full run queues
/// spill. First in, first out, under a lock that nobody takes to see that there is nothing.
/// @threadsafe
class injection_queue {
 public:
  /// Sequentially consistent with `empty`. Once closed the items are dropped.
  void push(std::span<void* const> items) noexcept {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      for (void* const item : items) {
        items_.push(item);
      }
      size_.store(items_.size());
    }
  }

  /// The same for one item of a thread that is no worker.
  void push_from_outside(void* item) noexcept {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      items_.push(item);
      hops_.add();
      size_.store(items_.size());
    }
  }

  /// How many came from outside so far.
  std::uint64_t hops() const noexcept { return hops_.get(); }

  /// The oldest item, or null.
  void* pop() noexcept {
    if (empty()) {
      return nullptr;
    }
    const std::lock_guard lock(mutex_);
    return pop_locked();
  }

  /// The share of one of `sharers`: the oldest item, or null; the others are moved to `mine`, which
  /// is empty and the caller's own.
  void* take_share(run_queue& mine, std::size_t sharers) noexcept {
    if (empty()) {
      return nullptr;
    }
    const std::lock_guard lock(mutex_);
    const std::size_t share =
        std::min<std::size_t>(items_.size() / sharers + 1, run_queue::capacity / 2);
    void* const first = pop_locked();
    for (std::size_t taken = 1; taken < share && !items_.empty(); ++taken) {
      mine.push(pop_locked());
    }
    return first;
  }

  bool empty() const noexcept { return size_.load() == 0; }
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// From here on items are dropped; returns those left.
  std::vector<void*> close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::vector<void*> left;
    while (void* const item = pop_locked()) {
      left.push_back(item);
    }
    return left;
  }

 private:
  void* pop_locked() noexcept {
    if (items_.empty()) {
      return nullptr;
    }
    void* const item = items_.pop();
    size_.store(items_.size());
    return item;
  }

  std::mutex mutex_;
  item_ring items_;      // Guarded by mutex_.
  bool closed_ = false;  // Guarded by mutex_.
  counter hops_;         // Written under mutex_.
  std::atomic<std::size_t> size_{0};
};

}  // namespace mailroom::executors
