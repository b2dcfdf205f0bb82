#include <mailroom/framework/wire/body.hpp>

#include <array>
#include <bit>

namespace mailroom::wire {
namespace {

// Below this a copy is cheaper than keeping the frame alive; a smaller part of its frame would keep
// too much alive.
constexpr std::size_t share_from = 4096;
constexpr std::size_t least_part = 4;

template <std::unsigned_integral Int>
Int big_endian(const std::byte* from) noexcept {
  Int value = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    value = static_cast<Int>((std::uint64_t{value} << 8U) | static_cast<std::uint8_t>(from[i]));
  }
  return value;
}

// What a tag says: bytes of head and body to pass over, and how many values follow inside.
struct shape {
  std::uint64_t bytes = 0;  // 0: no MessagePack, or cut short.
  std::uint64_t inside = 0;
  bool nests = false;
};

template <std::unsigned_integral Count>
std::optional<std::uint64_t> count_after_tag(std::span<const std::byte> from) noexcept {
  if (from.size() < 1 + sizeof(Count)) {
    return std::nullopt;
  }
  return big_endian<Count>(from.data() + 1);
}

// What people call a value that begins so.
std::string_view kind_of(std::byte first) noexcept {
  const auto tag = static_cast<std::uint8_t>(first);
  if (tag < 0x80 || tag >= 0xe0 || (tag >= 0xcc && tag <= 0xd3)) {
    return "an integer";
  }
  if (tag < 0x90 || tag >= 0xde) {
    return "a map";
  }
  if (tag < 0xa0 || tag >= 0xdc) {
    return "an array";
  }
  if (tag < 0xc0 || tag >= 0xd9) {
    return "a string";
  }
  if (tag == 0xca || tag == 0xcb) {
    return "a number";
  }
  if (tag >= 0xc4 && tag <= 0xc6) {
    return "binary";
  }
  return tag == 0xc0 ? "nil" : tag == 0xc2 || tag == 0xc3 ? "a boolean" : "an extension";
}

// `from` is not empty.
shape shape_of(std::span<const std::byte> from) noexcept {
  const auto tag = static_cast<std::uint8_t>(from[0]);
  if (tag < 0x80 || tag >= 0xe0) {
    return {1};
  }
  if (tag < 0x90) {
    return {1, std::uint64_t{tag & 0x0fU} * 2, true};
  }
  if (tag < 0xa0) {
    return {1, tag & 0x0fU, true};
  }
  if (tag < 0xc0) {
    return {std::uint64_t{1} + (tag & 0x1fU)};
  }
  const auto run = [](std::optional<std::uint64_t> count, std::uint64_t head) {
    return count ? shape{head + *count} : shape{};
  };
  const auto nest = [](std::optional<std::uint64_t> count, std::uint64_t head, std::uint64_t each) {
    return count ? shape{head, *count * each, true} : shape{};
  };
  switch (tag) {
    case 0xc0:
    case 0xc2:
    case 0xc3: return {1};
    case 0xc4:
    case 0xd9: return run(count_after_tag<std::uint8_t>(from), 2);
    case 0xc5:
    case 0xda: return run(count_after_tag<std::uint16_t>(from), 3);
    case 0xc6:
    case 0xdb: return run(count_after_tag<std::uint32_t>(from), 5);
    case 0xc7: return run(count_after_tag<std::uint8_t>(from), 3);
    case 0xc8: return run(count_after_tag<std::uint16_t>(from), 4);
    case 0xc9: return run(count_after_tag<std::uint32_t>(from), 6);
    case 0xcc:
    case 0xd0: return {2};
    case 0xcd:
    case 0xd1: return {3};
    case 0xca:
    case 0xce:
    case 0xd2: return {5};
    case 0xcb:
    case 0xcf:
    case 0xd3: return {9};
    case 0xd4: return {3};
    case 0xd5: return {4};
    case 0xd6: return {6};
    case 0xd7: return {10};
    case 0xd8: return {18};
    case 0xdc: return nest(count_after_tag<std::uint16_t>(from), 3, 1);
    case 0xdd: return nest(count_after_tag<std::uint32_t>(from), 5, 1);
    case 0xde: return nest(count_after_tag<std::uint16_t>(from), 3, 2);
    case 0xdf: return nest(count_after_tag<std::uint32_t>(from), 5, 2);
    default: return {};  // 0xc1 is never used.
  }
}

}  // namespace

std::size_t value_size(std::span<const std::byte> from) noexcept {
  // Values still to come, for each level of nesting. Not cleared: that would cost more than the
  // walk.
  std::array<std::uint64_t, max_depth + 1> open;
  open[0] = 1;
  std::size_t level = 0;
  std::size_t used = 0;
  while (true) {
    while (open[level] == 0) {
      if (level == 0) {
        return used;
      }
      --level;
    }
    const auto rest = from.subspan(used);
    if (rest.empty()) {
      return 0;
    }
    const shape next = shape_of(rest);
    if (next.bytes == 0 || next.bytes > rest.size()) {
      return 0;
    }
    used += static_cast<std::size_t>(next.bytes);
    --open[level];
    if (next.nests) {
      // Each value inside takes a byte at least: a count beyond what is left is a lie.
      if (level == max_depth || next.inside > from.size() - used) {
        return 0;
      }
      open[++level] = next.inside;
    }
  }
}

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
  into = shared_or_copied(body);
  return true;
}

bool cursor::read_encoded(encoded& into) {
  std::span<const std::byte> value;
  if (!read_raw(value)) {
    return false;
  }
  into.value = shared_or_copied(value);
  return true;
}

bytes cursor::shared_or_copied(std::span<const std::byte> part) const {
  if (whole_ != nullptr && part.size() >= share_from &&
      part.size() * least_part >= whole_->size()) {
    return {*whole_, part};
  }
  return bytes(part);
}

bool cursor::read_double(double& into) noexcept {
  if (at_ == end_) {
    return false;
  }
  std::span<const std::byte> all;
  if (*at_ == std::byte{0xcb}) {
    if (!take(9, all)) {
      return false;
    }
    into = std::bit_cast<double>(big_endian<std::uint64_t>(all.data() + 1));
    return true;
  }
  if (*at_ == std::byte{0xca}) {
    if (!take(5, all)) {
      return false;
    }
    into = double{std::bit_cast<float>(big_endian<std::uint32_t>(all.data() + 1))};
    return true;
  }
  // A whole number is a number too (other languages send 1.0 as 1).
  if (*at_ == std::byte{0xcf}) {
    std::uint64_t number = 0;
    if (!read_unsigned(number)) {
      return false;
    }
    into = static_cast<double>(number);
    return true;
  }
  std::int64_t number = 0;
  if (!read_signed(number)) {
    return false;
  }
  into = static_cast<double>(number);
  return true;
}

bool cursor::read_raw(std::span<const std::byte>& into) noexcept {
  const std::size_t size = value_size({at_, static_cast<std::size_t>(end_ - at_)});
  return size != 0 && take(size, into);
}

bool cursor::skip(std::size_t count) noexcept {
  std::span<const std::byte> passed;
  while (count != 0 && read_raw(passed)) {
    --count;
  }
  return count == 0;
}

msgpack::object_handle unpack_tree(std::span<const std::byte> value) {
  // `value` has been walked: its counts are true and its depth is bounded. Texts stay where they
  // are.
  const std::size_t most = value.size();
  const auto stay = [](msgpack::type::object_type, std::size_t, void*) { return true; };
  return msgpack::unpack(reinterpret_cast<const char*>(value.data()),
                         value.size(),
                         stay,
                         nullptr,
                         msgpack::unpack_limit(most, most, most, most, most, max_depth + 1));
}

error wrong_argument(std::span<const std::byte> body,
                     std::size_t position,
                     const std::string& wanted) {
  std::string_view found = "nothing that can be read (cut short, nested too deep or reserved)";
  cursor from(body, nullptr);
  std::span<const std::byte> value;
  if (from.array() && from.skip(position - 1) && from.read_raw(value)) {
    const std::string_view kind = kind_of(value.front());
    found = wanted.starts_with(kind) ? "another one" : kind;
  }
  return error(errc::invalid_arguments,
               "argument " + std::to_string(position) + " should be " + wanted + ", it is " +
                   std::string(found));
}

}  // namespace mailroom::wire
