#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace mailroom::wire {

/// A growing run of bytes that is written once, handed over and sent without another copy. Owns its
/// memory; used by one thread at a time. It is also a MessagePack stream:
/// `msgpack::packer<buffer>`.
class buffer {
 public:
  buffer() noexcept = default;
  explicit buffer(std::size_t capacity) { reserve(capacity); }
  buffer(buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  buffer& operator=(buffer&& other) noexcept {
    buffer moved(std::move(other));
    std::swap(data_, moved.data_);
    std::swap(size_, moved.size_);
    std::swap(capacity_, moved.capacity_);
    return *this;
  }
  ~buffer();

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool empty() const noexcept { return size_ == 0; }
  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// Room for `capacity` bytes in all. Throws std::bad_alloc.
  void reserve(std::size_t capacity) {
    if (capacity > capacity_) {
      grow(capacity);
    }
  }

  /// Makes the run `more` bytes longer and returns where they begin; their content is undefined.
  std::byte* extend(std::size_t more) {
    if (more > capacity_ - size_) {
      grow(size_ + more);
    }
    std::byte* at = data_ + size_;
    size_ += more;
    return at;
  }

  /// Cuts the run back to `size`, which must not exceed what there is.
  void truncate(std::size_t size) noexcept { size_ = size; }
  void clear() noexcept { size_ = 0; }

  void append(const void* from, std::size_t count) {
    if (count != 0) {
      std::memcpy(extend(count), from, count);
    }
  }
  void append(std::span<const std::byte> from) { append(from.data(), from.size()); }

  /// What a MessagePack packer asks of its stream.
  void write(const char* from, std::size_t count) { append(from, count); }

  /// Gives the memory away; the new owner frees it with `buffer::free_memory`.
  std::byte* release() noexcept {
    size_ = 0;
    capacity_ = 0;
    return std::exchange(data_, nullptr);
  }
  static void free_memory(std::byte* memory) noexcept;

 private:
  void grow(std::size_t least);

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace mailroom::wire
