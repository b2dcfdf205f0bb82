#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/observability/line_limiter.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/observability/stderr_writer.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace mailroom::log {
namespace {

struct shared_state {
  std::mutex mutex;
  sink to;                                                 // Guarded by mutex.
  platform* clock = &platform::system();                   // Guarded by mutex.
  line_limiter limiter{lines_per_second, 1s, max_groups};  // Guarded by mutex.
  bool has_teller = false;                                 // Guarded by mutex.
};

// Never destroyed: threads may log while the process ends.
shared_state& state() {
  static auto* const instance = new shared_state;
  return *instance;
}

bool is_plain(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("_.:/@+,%#*-[]{}()<>;~^!?&|$").find(c) != std::string_view::npos;
}

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

void append_escaped(std::string& line, std::string_view text) {
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

template <class Number, class... Format>
void append_number(std::string& line, Number number, Format... format) {
  std::array<char, 400>
      digits{};  // The longest double in fixed notation has 309 digits before the point.
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, format...);
  line.append(digits.data(), end.ptr);
}

void append_text(std::string& line, std::string_view text) {
  const std::string_view shown = text.substr(0, max_value);
  bool plain = !shown.empty();
  for (const char c : shown) {
    plain = plain && is_plain(c);
  }
  if (plain) {
    line.append(shown);
  } else {
    line.push_back('"');
    append_escaped(line, shown);
    line.push_back('"');
  }
  if (shown.size() < text.size()) {
    line.append("...+");
    append_number(line, text.size() - shown.size());
  }
}

void append_milliseconds(std::string& line, duration length) {
  const auto count = length.count();
  append_number(line, count / 1'000'000);
  auto fraction = static_cast<std::uint64_t>(std::abs(count % 1'000'000));
  if (count < 0 && count > -1'000'000) {
    line.insert(line.size() - 1, 1, '-');  // -0.5ms: the whole part has lost its sign.
  }
  if (fraction != 0) {
    std::string digits = std::to_string(1'000'000 + fraction).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    line.append(".").append(digits);
  }
  line.append("ms");
}

std::string format(level at, std::string_view event, fields with, std::uint64_t suppressed) {
  std::string line(to_string(at));
  line.push_back(' ');
  append_escaped(line, event);
  for (const auto& each : with) {
    line.push_back(' ');
    append_escaped(line, each.key);
    line.push_back('=');
    each.what.append_to(line);
  }
  if (suppressed != 0) {
    line.append(" suppressed=");
    append_number(line, suppressed);
  }
  return line;
}

// With the mutex held, so that a sink may be replaced at any time and lines keep the order of the
// limits.
void emit(shared_state& now, level at, std::string_view line) {
  if (now.to) {
    now.to(at, line);
  } else {
    stderr_writer::instance().add(line);
  }
}

// With the mutex held.
void tell_untold(shared_state& now, bool all) {
  for (const auto& [group, lines] : now.limiter.take_untold(now.clock->now(), all)) {
    emit(
        now,
        level::warn,
        format(
            level::warn, "lines_suppressed", {{"group", group.empty() ? "others" : group}}, lines));
  }
}

void run_teller(shared_state& now) {
  std::unique_lock lock(now.mutex);
  while (now.limiter.has_untold()) {
    lock.unlock();
    std::this_thread::sleep_for(1s);
    lock.lock();
    tell_untold(now, false);
  }
  now.has_teller = false;
}

// With the mutex held. Without a thread the next line of the group tells.
void start_teller(shared_state& now) noexcept {
  try {
    platform::system().start_thread("mr-log-tell", [&now] { run_teller(now); }).detach();
    now.has_teller = true;
  } catch (const std::exception&) {
    now.has_teller = false;
  }
}

}  // namespace

std::string_view to_string(level value) noexcept {
  switch (value) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warn: return "warn";
    case level::error: return "error";
    case level::off: return "off";
  }
  return "unknown";
}

std::optional<level> level_from(std::string_view word) noexcept {
  for (const level each : {level::debug, level::info, level::warn, level::error, level::off}) {
    if (to_string(each) == word) {
      return each;
    }
  }
  return std::nullopt;
}

void value::append_to(std::string& line) const {
  struct appender {
    std::string& line;
    void operator()(std::string_view text) const { append_text(line, text); }
    void operator()(bool flag) const { line.append(flag ? "true" : "false"); }
    void operator()(double number) const { append_number(line, number); }
    void operator()(std::int64_t number) const { append_number(line, number); }
    void operator()(std::uint64_t number) const { append_number(line, number); }
    void operator()(duration length) const { append_milliseconds(line, length); }
  };
  std::visit(appender{line}, what_);
}

namespace detail {

std::atomic<level> threshold{level::info};

void write(level at, std::string_view event, fields with) {
  const std::string line = format(at, event, with, 0);
  shared_state& now = state();
  const std::lock_guard lock(now.mutex);
  emit(now, at, line);
}

void write_limited(level at, std::string_view group, std::string_view event, fields with) {
  shared_state& now = state();
  const std::lock_guard lock(now.mutex);
  const auto allowed = now.limiter.admit(group, now.clock->now());
  if (allowed) {
    emit(now, at, format(at, event, with, *allowed));
  } else if (!now.has_teller) {
    start_teller(now);
  }
}

}  // namespace detail

void tell_suppressed() {
  shared_state& now = state();
  const std::lock_guard lock(now.mutex);
  tell_untold(now, true);
}

bool flush(duration limit) {
  return stderr_writer::instance().flush(limit);
}

std::uint64_t suppressed_lines() {
  shared_state& now = state();
  const std::lock_guard lock(now.mutex);
  return now.limiter.refused();
}

void set_sink(sink to) {
  shared_state& now = state();
  const std::lock_guard lock(now.mutex);
  now.to = std::move(to);
}

void set_platform(platform* clock) {
  shared_state& now = state();
  const std::lock_guard lock(now.mutex);
  now.clock = clock != nullptr ? clock : &platform::system();
  now.limiter = line_limiter(lines_per_second, 1s, max_groups);
}

}  // namespace mailroom::log
