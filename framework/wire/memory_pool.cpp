#include <mailroom/framework/wire/memory_pool.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace mailroom::wire::memory_pool {
namespace {

// Before each piece: which class it is of, so that whoever frees it need not know.
struct alignas(16) label {
  std::uint32_t class_index;
};

constexpr std::uint32_t unpooled = ~std::uint32_t{0};
constexpr std::size_t pooled_from = std::size_t{8} << 10U;
constexpr std::array<std::size_t, 4> class_sizes{
    std::size_t{40} << 10U, std::size_t{96} << 10U, std::size_t{384} << 10U, std::size_t{1} << 20U};
constexpr std::size_t kept_per_class = kept_at_most / class_sizes.size();

struct size_class {
  std::mutex mutex;
  std::vector<label*> free;  // Guarded by mutex.
};

std::array<size_class, class_sizes.size()>& classes() {
  // Never destroyed: libzmq's threads may free the last frames after main has returned.
  static auto* all = new std::array<size_class, class_sizes.size()>();
  return *all;
}

std::uint32_t class_for(std::size_t size) noexcept {
  if (size >= pooled_from) {
    for (std::uint32_t i = 0; i < class_sizes.size(); ++i) {
      if (size <= class_sizes[i]) {
        return i;
      }
    }
  }
  return unpooled;
}

std::byte* bytes_of(label* piece) noexcept {
  return reinterpret_cast<std::byte*>(piece + 1);
}
label* label_of(std::byte* memory) noexcept {
  return reinterpret_cast<label*>(memory) - 1;
}

label* allocate(std::size_t size) {
  void* made = std::malloc(sizeof(label) + size);
  if (made == nullptr) {
    throw std::bad_alloc();
  }
  return ::new (made) label{unpooled};
}

}  // namespace

std::byte* take(std::size_t size, std::size_t& granted) {
  const std::uint32_t index = class_for(size);
  if (index == unpooled) {
    granted = size;
    return bytes_of(allocate(size));
  }
  granted = class_sizes[index];
  {
    size_class& from = classes()[index];
    const std::lock_guard lock(from.mutex);
    if (!from.free.empty()) {
      label* piece = from.free.back();
      from.free.pop_back();
      return bytes_of(piece);
    }
  }
  label* piece = allocate(granted);
  piece->class_index = index;
  return bytes_of(piece);
}

std::byte* grow(std::byte* memory, std::size_t used, std::size_t size, std::size_t& granted) {
  if (memory == nullptr) {
    return take(size, granted);
  }
  if (label_of(memory)->class_index == unpooled && class_for(size) == unpooled) {
    void* grown = std::realloc(label_of(memory), sizeof(label) + size);
    if (grown == nullptr) {
      throw std::bad_alloc();
    }
    granted = size;
    return bytes_of(static_cast<label*>(grown));
  }
  std::byte* larger = take(size, granted);
  std::memcpy(larger, memory, used);
  give_back(memory);
  return larger;
}

void give_back(std::byte* memory) noexcept {
  if (memory == nullptr) {
    return;
  }
  label* piece = label_of(memory);
  if (piece->class_index != unpooled) {
    size_class& to = classes()[piece->class_index];
    const std::lock_guard lock(to.mutex);
    if (to.free.size() < kept_per_class / class_sizes[piece->class_index]) {
      to.free.push_back(piece);
      return;
    }
  }
  std::free(piece);
}

}  // namespace mailroom::wire::memory_pool
