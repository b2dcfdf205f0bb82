#pragma once

#include <mailroom/framework/executors/executor.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace mailroom::executors {

/// A figure that one thread writes and any thread may read: no locked instruction.
class counter {
 public:
  void add(std::uint64_t n = 1) noexcept { set(get() + n); }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What a thread did in its turns, and when: the end of one is the start of the next. Written by
/// that thread.
class turn_meter {
 public:
  /// Before the first turn, and whenever the thread did something else. Returns the time.
  time_point begin(const platform& host) noexcept { return now_ = host.now(); }

  /// After each turn. Returns the time.
  time_point end_turn(const platform& host) noexcept {
    const time_point end = host.now();
    const auto took = static_cast<std::uint64_t>((end - std::exchange(now_, end)).count());
    turns.add();
    busy_.add(took);
    if (took > longest_.get()) {
      longest_.set(took);
    }
    return end;
  }

  /// When the last turn ended.
  time_point now() const noexcept { return now_; }

  void add_to(statistics& sum) const noexcept {
    sum.turns += turns.get();
    sum.busy += duration(busy_.get());
    sum.longest_turn = std::max(sum.longest_turn, duration(longest_.get()));
  }

  counter turns;

 private:
  time_point now_;
  counter busy_;     // Nanoseconds.
  counter longest_;  // Nanoseconds.
};

/// A first-in-first-out ring of items that grows. Used by one thread at a time.
class item_ring {
 public:
  void push(void* item) {
    if (tail_ - head_ == slots_.size()) {
      grow();
    }
    slots_[tail_++ & (slots_.size() - 1)] = item;
  }

  /// Precondition: not empty.
  void* pop() noexcept { return slots_[head_++ & (slots_.size() - 1)]; }

  bool empty() const noexcept { return head_ == tail_; }
  std::size_t size() const noexcept { return tail_ - head_; }

 private:
  void grow() {
    std::vector<void*> larger(slots_.empty() ? 64 : slots_.size() * 2);  // Sizes are powers of two.
    const std::size_t count = size();
    for (std::size_t i = 0; i != count; ++i) {
      larger[i] = slots_[(head_ + i) & (slots_.size() - 1)];
    }
    slots_.swap(larger);
    head_ = 0;
    tail_ = count;
  }

  std::vector<void*> slots_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

/// Items waiting for one thread, the owner, in the order they were submitted by whomever. The
/// owner's own submissions take no lock and no atomic read-modify-write.
class turn_queue {
 public:
  /// Owner only. What others submitted before stays in front.
  void push(void* item) {
    refill();
    own_.push(item);
    own_size_.set(own_.size());
  }

  /// The next item, null if there is none. Owner only.
  void* pop() {
    refill();
    if (own_.empty()) {
      return nullptr;
    }
    void* const item = own_.pop();
    own_size_.set(own_.size());
    return item;
  }

  /// How many `pop` would give now. Owner only.
  std::size_t available() {
    refill();
    return own_.size();
  }

  /// From any other thread; the caller wakes the owner then (sequentially consistent with `empty`).
  /// Returns false and drops the item once closed.
  bool push_from_outside(void* item) {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      return false;
    }
    outside_.push_back(item);
    outside_size_.store(outside_.size());
    return true;
  }

  /// Owner only: what a sleeper looks at again before it sleeps.
  bool empty() const noexcept { return own_.empty() && outside_size_.load() == 0; }

  /// @threadsafe
  std::size_t size() const noexcept {
    return static_cast<std::size_t>(own_size_.get()) +
           outside_size_.load(std::memory_order_relaxed);
  }

  /// How many came from outside so far. @threadsafe
  std::uint64_t hops() const noexcept { return hops_.get(); }

  /// From here on items from outside are dropped; returns those left. Owner only, or when it is
  /// gone.
  std::vector<void*> close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    std::vector<void*> left;
    while (void* const item = pop()) {
      left.push_back(item);
    }
    return left;
  }

 private:
  void refill() {
    if (outside_size_.load() == 0) {
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      taken_.swap(outside_);
      outside_size_.store(0, std::memory_order_relaxed);
    }
    for (void* const item : taken_) {
      own_.push(item);
    }
    hops_.add(taken_.size());
    taken_.clear();
    own_size_.set(own_.size());
  }

  item_ring own_;
  std::vector<void*> taken_;  // Keeps its memory between refills.
  counter own_size_;
  counter hops_;

  alignas(64) std::mutex mutex_;
  std::vector<void*> outside_;  // Guarded by mutex_.
  bool closed_ = false;         // Guarded by mutex_.
  std::atomic<std::size_t> outside_size_{0};
};

}  // namespace mailroom::executors
