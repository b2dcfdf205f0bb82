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

// Its bytes lie behind it.
class copied_owner final : public frame::owner {
 public:
  static copied_owner* make(std::span<const std::byte> from) {
    auto* made = new (from.size()) copied_owner;
    std::memcpy(made->bytes(), from.data(), from.size());
    return made;
  }
  std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

  static void operator delete(void* memory) noexcept { ::operator delete(memory); }

 private:
  static void* operator new(std::size_t own, std::size_t behind) {
    return ::operator new(own + behind);
  }
  static void operator delete(void* memory, std::size_t) noexcept { ::operator delete(memory); }
};

}  // namespace

frame frame::copy_of(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return {};
  }
  auto* keeper = copied_owner::make(bytes);
  return {{keeper->bytes(), bytes.size()}, keeper};
}

frame::frame(buffer&& written) {
  auto* keeper = new buffer_owner(std::move(written));
  keeper_ = keeper;
  bytes_ = keeper->bytes();
}

}  // namespace mailroom::wire
