#pragma once

#include <cstddef>

namespace mailroom::wire {

/// Memory of frames. Small pieces come from the C library; those that a frame grows to are kept and
/// reused, because a frame is filled on one thread and freed on another (libzmq's), and giving
/// pages back to the kernel and faulting them in again costs more than filling them: 64 KiB echoes
/// took half again as much CPU without it.
/// @threadsafe
namespace memory_pool {

/// At least `size` bytes; `granted` is what may be used. Throws std::bad_alloc.
std::byte* take(std::size_t size, std::size_t& granted);

/// Makes `memory`, of which `used` bytes matter, larger. Throws std::bad_alloc and leaves it as it
/// was.
std::byte* grow(std::byte* memory, std::size_t used, std::size_t size, std::size_t& granted);

void give_back(std::byte* memory) noexcept;

/// Bytes kept for reuse at most.
inline constexpr std::size_t kept_at_most = std::size_t{16} << 20U;

}  // namespace memory_pool
}  // namespace mailroom::wire
