#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/base/text.hpp>
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
    append_shown(line, shown);
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
  append_shown(line, event);
  for (const auto& each : with) {
    line.push_back(' ');
    append_shown(line, each.key);
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
