#include <mailroom/framework/base/text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <system_error>
#include <vector>

namespace mailroom {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t value;
};

constexpr std::uint64_t second = 1'000'000'000;

// From small to large, as the format functions need them.
constexpr std::array<unit, 7> time_units{{{"ns", 1},
                                          {"us", 1'000},
                                          {"ms", 1'000'000},
                                          {"s", second},
                                          {"m", 60 * second},
                                          {"h", 3'600 * second},
                                          {"d", 86'400 * second}}};

constexpr std::array<unit, 4> size_units{
    {{"B", 1}, {"KiB", 1ULL << 10U}, {"MiB", 1ULL << 20U}, {"GiB", 1ULL << 30U}}};

constexpr std::array<unit, 4> decimal_size_units{
    {{"KB", 1'000}, {"kB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}}};

const unit* find_unit(std::span<const unit> units, std::string_view name) {
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const unit& u) { return u.name == name; });
  return found == units.end() ? nullptr : &*found;
}

std::string in_largest_unit(std::uint64_t value, std::span<const unit> units) {
  const unit* best = &units.front();
  for (const auto& candidate : units) {
    if (value != 0 && value % candidate.value == 0) {
      best = &candidate;
    }
  }
  return std::to_string(value / best->value) + std::string(best->name);
}

error not_a(std::string_view what, std::string_view text, std::string_view example) {
  return error(errc::invalid_value,
               "'" + std::string(text) + "' is no " + std::string(what) + " (write " +
                   std::string(example) + ")");
}

}  // namespace

std::size_t edit_distance(std::string_view from, std::string_view to) {
  // Three rows of the table are alive: swapping neighbours looks two rows back.
  std::vector<std::size_t> before(to.size() + 1);
  std::vector<std::size_t> above(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) {
    above[j] = j;
  }
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const bool same = from[i - 1] == to[j - 1];
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[to.size()];
}

std::string nearest(std::string_view name, std::span<const std::string> candidates) {
  // A third of the characters wrong is a slip; more is another word.
  auto best = std::max<std::size_t>(1, name.size() / 3) + 1;
  std::string found;
  for (const auto& candidate : candidates) {
    const auto distance = edit_distance(name, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

result<duration> parse_duration(std::string_view text) {
  const auto wrong = [&] { return not_a("duration", text, "250ms, 2s or 5m"); };
  const auto too_long = [&] {
    return error(errc::invalid_value,
                 "'" + std::string(text) + "' is too long (at most 292 years)");
  };
  if (text == "0") {
    return duration::zero();
  }
  const char* const end = text.data() + text.size();
  constexpr auto longest = static_cast<std::uint64_t>(duration::max().count());

  std::uint64_t whole = 0;
  const auto [after, status] = std::from_chars(text.data(), end, whole);
  if (status == std::errc::result_out_of_range) {
    return too_long();
  }
  if (status != std::errc()) {
    return wrong();
  }
  // The fraction, digit by digit: a float would turn 0.3s into 299999999ns.
  std::uint64_t fraction = 0;
  std::uint64_t scale = 1;
  const char* at = after;
  if (at != end && *at == '.') {
    for (++at; at != end && *at >= '0' && *at <= '9' && scale < second; ++at) {
      fraction = fraction * 10 + static_cast<std::uint64_t>(*at - '0');
      scale *= 10;
    }
    if (scale == 1) {
      return wrong();
    }
  }
  const auto* const found = find_unit(time_units, {at, static_cast<std::size_t>(end - at)});
  if (found == nullptr) {
    return wrong();
  }
  if (whole >= longest / found->value) {
    return too_long();
  }
  // Divided first, or nine digits of days would overflow; the units from 1s up are multiples.
  const auto part =
      found->value >= scale ? found->value / scale * fraction : fraction * found->value / scale;
  return duration(static_cast<duration::rep>(whole * found->value + part));
}

std::string format_duration(duration value) {
  if (value == duration::zero()) {
    return "0s";
  }
  const auto count = static_cast<std::uint64_t>(std::max(value, duration::zero()).count());
  return in_largest_unit(count, time_units);
}

result<std::uint64_t> parse_size(std::string_view text) {
  const auto wrong = [&] { return not_a("size", text, "512, 64KiB or 10MB"); };
  const char* const end = text.data() + text.size();
  std::uint64_t number = 0;
  const auto [after, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc()) {
    return wrong();
  }
  const std::string_view name(after, static_cast<std::size_t>(end - after));
  if (name.empty()) {
    return number;
  }
  const auto* found = find_unit(size_units, name);
  if (found == nullptr) {
    found = find_unit(decimal_size_units, name);
  }
  if (found == nullptr || number > std::numeric_limits<std::uint64_t>::max() / found->value) {
    return wrong();
  }
  return number * found->value;
}

std::string format_size(std::uint64_t bytes) {
  return in_largest_unit(bytes, size_units);
}

namespace {

// Length of the UTF-8 character that begins `text` and may be shown as it is; 0 if there is none.
// Characters that terminals or editors take for a control or a new line (C1, U+2028, U+2029) or
// that turn the direction of writing (U+202A to U+202E, U+2066 to U+2069) may not.
std::size_t shown_utf8(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 0;
  if (length == 0 || text.size() < length) {
    return 0;
  }
  std::uint32_t point = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0U) != 0x80U) {
      return 0;
    }
    point = (point << 6U) | (at(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const bool valid =
      point >= smallest[length] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
  const bool dangerous = point < 0xa0 || (point >= 0x2028 && point <= 0x202e) ||
                         (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
  return valid && !dangerous ? length : 0;
}

}  // namespace

void append_shown(std::string& line, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  while (!text.empty()) {
    const char c = text.front();
    std::size_t used = 1;
    if (c == '"' || c == '\\') {
      line.append({'\\', c});
    } else if (c == '\n') {
      line.append("\\n");
    } else if (c == '\r') {
      line.append("\\r");
    } else if (c == '\t') {
      line.append("\\t");
    } else if (c >= ' ' && c <= '~') {
      line.push_back(c);
    } else if (const auto length = shown_utf8(text); length != 0) {
      line.append(text.substr(0, length));
      used = length;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      line.append({'\\', 'x', digits[byte >> 4U], digits[byte & 15U]});
    }
    text.remove_prefix(used);
  }
}

std::string shown(std::string_view text) {
  std::string line;
  append_shown(line, text);
  return line;
}

bool is_shown(std::string_view text) noexcept {
  while (!text.empty()) {
    const bool ascii = text.front() >= ' ' && text.front() <= '~';
    const std::size_t length = ascii ? 1 : shown_utf8(text);
    if (length == 0) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace mailroom
