#include <mailroom/framework/wire/frame.hpp>

namespace mailroom::wire {
namespace {

class buffer_owner final : public frame::owner {
 public:
  explicit buffer_owner(buffer&& written) noexcept : written_(std::move(written)) {}
  std::span<const std::byte> bytes() const noexcept { return written_.bytes(); }

 private:
  buffer written_;
};

}  // namespace

frame::frame(buffer&& written) {
  auto* keeper = new buffer_owner(std::move(written));
  keeper_ = keeper;
  bytes_ = keeper->bytes();
}

}  // namespace mailroom::wire
