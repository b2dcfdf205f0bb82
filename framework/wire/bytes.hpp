#pragma once

#include <mailroom/framework/wire/frame.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace mailroom {

/// Immutable bytes, shared when copied: the type for bodies that handlers pass on without looking
/// inside. Travels as MessagePack bin (a str is accepted too). A large one that arrives shares the
/// frame it came in instead of being copied. Copies may live on different threads.
class bytes {
 public:
  bytes() noexcept = default;
  explicit bytes(std::span<const std::byte> from)
      : shared_(wire::frame::copy_of(from)), view_(shared_.bytes()) {}
  explicit bytes(std::string_view text)
      : bytes(std::as_bytes(std::span(text.data(), text.size()))) {}
  explicit bytes(wire::buffer&& written) : shared_(std::move(written)), view_(shared_.bytes()) {}

  /// A part of a frame, which lives on as long as this does.
  bytes(wire::frame whole, std::span<const std::byte> part) noexcept
      : shared_(std::move(whole)), view_(part) {}

  const std::byte* data() const noexcept { return view_.data(); }
  std::size_t size() const noexcept { return view_.size(); }
  bool empty() const noexcept { return view_.empty(); }
  std::span<const std::byte> view() const noexcept { return view_; }

  friend bool operator==(const bytes& a, const bytes& b) noexcept {
    return std::equal(a.view_.begin(), a.view_.end(), b.view_.begin(), b.view_.end());
  }

 private:
  wire::frame shared_;
  std::span<const std::byte> view_;
};

}  // namespace mailroom
