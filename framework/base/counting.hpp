#pragma once

#include <atomic>
#include <cstdint>

namespace mailroom {

/// Adds to a counter that one thread writes and any may read: no locked instruction.
inline void count(std::atomic<std::uint64_t>& counter, std::uint64_t more) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}
inline void count_one(std::atomic<std::uint64_t>& counter) noexcept {
  count(counter, 1);
}

}  // namespace mailroom
