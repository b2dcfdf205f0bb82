#pragma once

#include <mailroom/framework/wire/buffer.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace mailroom::wire {

/// Received bytes that nobody changes any more, shared by all that still read them. Copying counts
/// a reference; the last one gives the memory back to whoever made it (a ZeroMQ message, a buffer).
/// Copies may live on different threads.
class frame {
 public:
  /// What keeps the bytes alive. A transport derives from it to hold its own kind of message.
  class owner {
   public:
    owner() noexcept = default;
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;
    virtual ~owner() = default;

   private:
    friend class frame;
    std::atomic<std::uint32_t> references_{1};
  };

  frame() noexcept = default;

  /// Takes over `keeper`, which was made with `new`, and the bytes that it keeps alive.
  frame(std::span<const std::byte> bytes, owner* keeper) noexcept
      : bytes_(bytes), keeper_(keeper) {}

  /// Takes over a written buffer, without a copy of its bytes.
  explicit frame(buffer&& written);

  /// Bytes of its own, in one piece of memory with what keeps them.
  static frame copy_of(std::span<const std::byte> bytes);

  frame(const frame& other) noexcept : bytes_(other.bytes_), keeper_(other.keeper_) {
    if (keeper_ != nullptr) {
      keeper_->references_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  frame(frame&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})), keeper_(std::exchange(other.keeper_, nullptr)) {}
  frame& operator=(frame other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(keeper_, other.keeper_);
    return *this;
  }
  ~frame() {
    if (keeper_ != nullptr) {
      drop();
    }
  }

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }

 private:
  void drop() noexcept {
    // Who is the only owner need not count down.
    if (keeper_->references_.load(std::memory_order_acquire) == 1 ||
        keeper_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete keeper_;
    }
  }

  std::span<const std::byte> bytes_;
  owner* keeper_ = nullptr;
};

}  // namespace mailroom::wire
