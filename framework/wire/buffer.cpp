#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/memory_pool.hpp>

#include <algorithm>

namespace mailroom::wire {

buffer::~buffer() {
  free_memory(data_);
}

void buffer::free_memory(std::byte* memory) noexcept {
  memory_pool::give_back(memory);
}

void buffer::grow(std::size_t least) {
  const std::size_t wanted = std::max({least, capacity_ * 2, std::size_t{256}});
  data_ = memory_pool::grow(data_, size_, wanted, capacity_);
}

}  // namespace mailroom::wire
