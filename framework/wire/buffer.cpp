#include <mailroom/framework/wire/buffer.hpp>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace mailroom::wire {

buffer::~buffer() {
  free_memory(data_);
}

void buffer::free_memory(std::byte* memory) noexcept {
  std::free(memory);
}

void buffer::grow(std::size_t least) {
  const std::size_t capacity = std::max({least, capacity_ * 2, std::size_t{256}});
  void* grown = std::realloc(data_, capacity);
  if (grown == nullptr) {
    throw std::bad_alloc();
  }
  data_ = static_cast<std::byte*>(grown);
  capacity_ = capacity;
}

}  // namespace mailroom::wire
