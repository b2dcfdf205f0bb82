#include <mailroom/framework/wire/base64.hpp>

#include <cstddef>
#include <cstdint>

namespace mailroom::wire {
namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(std::string_view raw) {
  std::string text;
  text.reserve((raw.size() + 2) / 3 * 4);
  while (!raw.empty()) {
    const std::string_view three = raw.substr(0, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = (bits << 8U) | (i < three.size() ? static_cast<unsigned char>(three[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text.push_back(i <= three.size() ? digits[(bits >> (18U - 6U * i)) & 63U] : '=');
    }
    raw.remove_prefix(three.size());
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string raw;
  if (text.size() % 4 != 0) {
    return std::nullopt;
  }
  std::string_view rest = text;
  while (rest.ends_with('=')) {
    rest.remove_suffix(1);
  }
  std::uint32_t bits = 0;
  std::uint32_t held = 0;
  for (const char each : rest) {
    const auto digit = digits.find(each);
    if (digit == std::string_view::npos) {
      return std::nullopt;
    }
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      raw.push_back(static_cast<char>((bits >> held) & 0xffU));
    }
  }
  // There is one way to write each run of bytes.
  return to_base64(raw) == text ? std::optional(std::move(raw)) : std::nullopt;
}

}  // namespace mailroom::wire
