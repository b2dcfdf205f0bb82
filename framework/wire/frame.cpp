#include <mailroom/framework/base/block_cache.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <cstring>
#include <new>

namespace mailroom::wire {
namespace {

class buffer_owner final : public frame::owner {
 public:
  explicit buffer_owner(buffer&& written) noexcept : written_(std::move(written)) {}
  std::span<const std::byte> bytes() const noexcept { return written_.bytes(); }

 private:
  buffer written_;
};

// Its bytes lie behind it. What memory it has, whoever frees it knows by its type.
template <class Memory>
class copied_owner final : public frame::owner {
 public:
  static frame copy(std::span<const std::byte> from) {
    auto* made = new (from.size()) copied_owner;
    auto* bytes = reinterpret_cast<std::byte*>(made + 1);
    std::memcpy(bytes, from.data(), from.size());
    return {{bytes, from.size()}, made};
  }

  static void operator delete(void* memory) noexcept { Memory::give_back(memory); }

 private:
  static void* operator new(std::size_t own, std::size_t behind) {
    return Memory::take(own + behind);
  }
  static void operator delete(void* memory, std::size_t) noexcept { Memory::give_back(memory); }
};

struct any_memory {
  static void* take(std::size_t size) { return ::operator new(size); }
  static void give_back(void* memory) noexcept { ::operator delete(memory); }
};

// Arguments and answers of a small call.
struct small_memory {
  static constexpr std::size_t most = 128;
  static void* take(std::size_t) { return block_cache<most>::take(); }
  static void give_back(void* memory) noexcept { block_cache<most>::give_back(memory); }
};

}  // namespace

frame frame::copy_of(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return {};
  }
  using small_copy = copied_owner<small_memory>;
  return bytes.size() <= small_memory::most - sizeof(small_copy)
             ? small_copy::copy(bytes)
             : copied_owner<any_memory>::copy(bytes);
}

frame::frame(buffer&& written) {
  auto* keeper = new buffer_owner(std::move(written));
  keeper_ = keeper;
  bytes_ = keeper->bytes();
}

}  // namespace mailroom::wire
