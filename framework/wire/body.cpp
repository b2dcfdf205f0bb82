#include <mailroom/framework/wire/body.hpp>

#include <cstring>

namespace mailroom::wire {
namespace {

// Below this a copy is cheaper than keeping the frame alive.
constexpr std::size_t share_from = 4096;

template <std::unsigned_integral Int>
Int big_endian(const std::byte* from) noexcept {
  Int value = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    value = static_cast<Int>((std::uint64_t{value} << 8U) | static_cast<std::uint8_t>(from[i]));
  }
  return value;
}

}  // namespace

bool cursor::take(std::size_t count, std::span<const std::byte>& into) noexcept {
  if (static_cast<std::size_t>(end_ - at_) < count) {
    return false;
  }
  into = {at_, count};
  at_ += count;
  return true;
}

std::optional<std::uint32_t> cursor::array() noexcept {
  if (at_ == end_) {
    return std::nullopt;
  }
  const auto tag = static_cast<std::uint8_t>(*at_);
  if ((tag & 0xf0U) == 0x90U) {
    ++at_;
    return tag & 0x0fU;
  }
  const auto left = end_ - at_;
  if (tag == 0xdc && left >= 3) {
    const auto count = big_endian<std::uint16_t>(at_ + 1);
    at_ += 3;
    return count;
  }
  if (tag == 0xdd && left >= 5) {
    const auto count = big_endian<std::uint32_t>(at_ + 1);
    at_ += 5;
    return count;
  }
  return std::nullopt;
}

bool cursor::read_bool(bool& into) noexcept {
  if (at_ == end_ || (*at_ != std::byte{0xc2} && *at_ != std::byte{0xc3})) {
    return false;
  }
  into = *at_++ == std::byte{0xc3};
  return true;
}

bool cursor::read_unsigned(std::uint64_t& into) noexcept {
  std::int64_t value = 0;
  if (at_ != end_ && *at_ == std::byte{0xcf}) {
    std::span<const std::byte> all;
    if (!take(9, all)) {
      return false;
    }
    into = big_endian<std::uint64_t>(all.data() + 1);
    return true;
  }
  if (!read_signed(value) || value < 0) {
    return false;
  }
  into = static_cast<std::uint64_t>(value);
  return true;
}

bool cursor::read_signed(std::int64_t& into) noexcept {
  if (at_ == end_) {
    return false;
  }
  const auto tag = static_cast<std::uint8_t>(*at_);
  if (tag < 0x80 || tag >= 0xe0) {
    into = static_cast<std::int8_t>(tag);
    ++at_;
    return true;
  }
  std::span<const std::byte> all;
  switch (tag) {
    case 0xcc:
    case 0xd0:
      if (!take(2, all)) {
        return false;
      }
      into = tag == 0xcc ? std::int64_t{static_cast<std::uint8_t>(all[1])}
                         : std::int64_t{static_cast<std::int8_t>(all[1])};
      return true;
    case 0xcd:
    case 0xd1: {
      if (!take(3, all)) {
        return false;
      }
      const auto value = big_endian<std::uint16_t>(all.data() + 1);
      into = tag == 0xcd ? std::int64_t{value} : std::int64_t{static_cast<std::int16_t>(value)};
      return true;
    }
    case 0xce:
    case 0xd2: {
      if (!take(5, all)) {
        return false;
      }
      const auto value = big_endian<std::uint32_t>(all.data() + 1);
      into = tag == 0xce ? std::int64_t{value} : std::int64_t{static_cast<std::int32_t>(value)};
      return true;
    }
    case 0xcf:
    case 0xd3: {
      if (!take(9, all)) {
        return false;
      }
      const auto value = big_endian<std::uint64_t>(all.data() + 1);
      into = static_cast<std::int64_t>(value);
      return tag == 0xd3 || into >= 0;
    }
    default: return false;
  }
}

bool cursor::read_string(std::span<const std::byte>& text) noexcept {
  if (at_ == end_) {
    return false;
  }
  const auto tag = static_cast<std::uint8_t>(*at_);
  const auto left = static_cast<std::size_t>(end_ - at_);
  if ((tag & 0xe0U) == 0xa0U) {
    ++at_;
    return take(tag & 0x1fU, text);
  }
  std::size_t count = 0;
  std::size_t prefix = 0;
  if ((tag == 0xd9 || tag == 0xc4) && left >= 2) {
    count = static_cast<std::uint8_t>(at_[1]);
    prefix = 2;
  } else if ((tag == 0xda || tag == 0xc5) && left >= 3) {
    count = big_endian<std::uint16_t>(at_ + 1);
    prefix = 3;
  } else if ((tag == 0xdb || tag == 0xc6) && left >= 5) {
    count = big_endian<std::uint32_t>(at_ + 1);
    prefix = 5;
  } else {
    return false;
  }
  at_ += prefix;
  return take(count, text);
}

bool cursor::read_bytes(bytes& into) {
  std::span<const std::byte> body;
  if (!read_string(body)) {
    return false;
  }
  if (whole_ != nullptr && body.size() >= share_from && body.size() * 2 >= whole_->size()) {
    into = bytes(*whole_, body);
  } else {
    into = bytes(body);
  }
  return true;
}

msgpack::unpack_limit cursor::limit() const {
  // No collection can have more elements than the body has bytes.
  const auto left = static_cast<std::size_t>(end_ - at_);
  return msgpack::unpack_limit(left, left, left, left, left, max_depth);
}

}  // namespace mailroom::wire
