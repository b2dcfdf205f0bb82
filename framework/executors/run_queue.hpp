#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mailroom::executors {

/// A worker's own queue that others may steal from: a ring of 256 slots, first in first out. The
/// owner alone moves the tail; whoever takes something, owner or thief, moves the head by
/// compare-and-swap (the layout of Go's and Tokio's schedulers). Head and tail count on and wrap; a
/// slot's index is their value modulo 256.
class run_queue {
 public:
  static constexpr std::uint32_t capacity = 256;

  run_queue() = default;
  run_queue(const run_queue&) = delete;
  run_queue& operator=(const run_queue&) = delete;

  /// False if it is full. Sequentially consistent with `size`. Owner only.
  bool push(void* item) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == capacity) {
      return false;
    }
    slot(tail).store(item, std::memory_order_relaxed);
    tail_.store(tail + 1);
    return true;
  }

  /// The oldest item, or null. Owner only.
  void* pop() noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    std::uint32_t head = head_.load(std::memory_order_acquire);
    while (head != tail) {
      void* const item = slot(head).load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(
              head, head + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return item;
      }
    }
    return nullptr;
  }

  /// Takes the older half out of a full queue; returns how many. Owner only.
  std::size_t spill(std::array<void*, capacity / 2>& out) noexcept {
    std::uint32_t head = head_.load(std::memory_order_acquire);
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    const std::uint32_t count = capacity / 2;
    if (tail - head != capacity) {
      return 0;  // Thieves made room meanwhile.
    }
    for (std::uint32_t i = 0; i != count; ++i) {
      out[i] = slot(head + i).load(std::memory_order_relaxed);
    }
    return head_.compare_exchange_strong(head, head + count, std::memory_order_acq_rel) ? count : 0;
  }

  /// Moves the older half, at least one, to `mine`, which is empty and the caller's own. Returns
  /// how many: one of them, the oldest, is in `first`, the others are in `mine`.
  std::uint32_t steal(run_queue& mine, void*& first) noexcept {
    const std::uint32_t to = mine.tail_.load(std::memory_order_relaxed);
    for (;;) {
      std::uint32_t head = head_.load(std::memory_order_acquire);
      const std::uint32_t available = tail_.load(std::memory_order_acquire) - head;
      const std::uint32_t count = available - available / 2;
      if (count == 0) {
        return 0;
      }
      if (count > capacity / 2) {
        continue;  // The head is older than the tail: read while others moved both.
      }
      first = slot(head).load(std::memory_order_relaxed);
      for (std::uint32_t i = 1; i != count; ++i) {
        mine.slot(to + i - 1)
            .store(slot(head + i).load(std::memory_order_relaxed), std::memory_order_relaxed);
      }
      // Had a slot been used anew meanwhile, the head would have moved.
      if (head_.compare_exchange_strong(head, head + count, std::memory_order_acq_rel)) {
        mine.tail_.store(to + count - 1);
        return count;
      }
    }
  }

  /// @threadsafe
  std::uint32_t size() const noexcept {
    const std::uint32_t head =
        head_.load();  // First: the other way round the difference might be negative.
    return tail_.load() - head;
  }

 private:
  std::atomic<void*>& slot(std::uint32_t index) noexcept { return slots_[index % capacity]; }

  alignas(64) std::atomic<std::uint32_t> head_{0};
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  std::array<std::atomic<void*>, capacity> slots_{};
};

}  // namespace mailroom::executors
