#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mailroom {
class platform;
}

/// Structured logs: one line an event, to stderr, in logfmt:
///
///     2026-03-01T10:04:05.123456Z warn peer_lost peer=127.0.0.1:52114 silent=3000ms reason="no
///     heartbeat"
///
/// Every function may be called from any thread. Nobody waits for stderr: lines are queued, up to
/// 1 MiB, and written by a thread `mr-log`. What finds the queue full is lost, and counted: a line
/// `log_overflowed` says `lines_lost=N` as soon as there is room. The end of the process (`exit`,
/// or the end of `main`) waits up to 200 ms for what is queued; who ends it otherwise calls
/// `flush`. A level that is off costs one relaxed load.
namespace mailroom::log {

enum class level : std::uint8_t { debug = 0, info = 1, warn = 2, error = 3, off = 4 };

std::string_view to_string(level value) noexcept;

/// "debug", "info", "warn", "error" or "off"; nothing for other words.
std::optional<level> level_from(std::string_view word) noexcept;

namespace detail {
extern std::atomic<level> threshold;
}

/// What is below is not written. At first: info.
inline void set_level(level lowest) noexcept {
  detail::threshold.store(lowest, std::memory_order_relaxed);
}
inline level current_level() noexcept {
  return detail::threshold.load(std::memory_order_relaxed);
}
inline bool enabled(level of) noexcept {
  return of >= current_level();
}

/// A value of a field. Refers to text, does not own it: made in the call that logs it. Durations
/// are shown in milliseconds ("1500ms", "0.25ms").
class value {
 public:
  // NOLINTBEGIN(google-explicit-constructor): made from whatever is to be shown.
  template <std::convertible_to<std::string_view> T>
  value(const T& text) noexcept : what_(std::string_view(text)) {}
  template <std::integral T>
  value(T number) noexcept : what_(whole(number)) {}
  template <std::floating_point T>
  value(T number) noexcept : what_(static_cast<double>(number)) {}
  template <class Rep, class Period>
  value(std::chrono::duration<Rep, Period> length) noexcept
      : what_(std::chrono::duration_cast<duration>(length)) {}
  // NOLINTEND(google-explicit-constructor)

  /// Appends it so that it cannot break the line: quoted if it has more than plain characters,
  /// control characters and what is not UTF-8 escaped, cut after `max_value` bytes.
  void append_to(std::string& line) const;

 private:
  using shown = std::variant<std::string_view, bool, double, std::int64_t, std::uint64_t, duration>;

  template <class T>
  static shown whole(T number) noexcept {
    if constexpr (std::same_as<T, bool>) {
      return number;
    } else if constexpr (std::signed_integral<T>) {
      return std::int64_t{number};
    } else {
      return std::uint64_t{number};
    }
  }

  shown what_;
};

/// Bytes of a text value that are shown; the number of those cut off follows.
inline constexpr std::size_t max_value = 512;

/// `key` is a word of ours (snake_case), not something that came from outside.
struct field {
  std::string_view key;
  value what;
};
using fields = std::initializer_list<field>;

namespace detail {
void write(level at, std::string_view event, fields with);
void write_limited(level at, std::string_view group, std::string_view event, fields with);
}  // namespace detail

/// One event. `event` is a word of ours in snake_case, by which lines are searched for.
inline void write(level at, std::string_view event, fields with = {}) {
  if (enabled(at)) {
    detail::write(at, event, with);
  }
}
inline void debug(std::string_view event, fields with = {}) {
  write(level::debug, event, with);
}
inline void info(std::string_view event, fields with = {}) {
  write(level::info, event, with);
}
inline void warn(std::string_view event, fields with = {}) {
  write(level::warn, event, with);
}
inline void error(std::string_view event, fields with = {}) {
  write(level::error, event, with);
}

/// For what others can cause at will: of each group (an address, say) no second sees more than
/// `lines_per_second` lines. The rest are counted: the next line of the group says `suppressed=N`,
/// or, when none comes for a second, a line `lines_suppressed` does, from a thread `mr-log-tell`
/// that lives until all are told. Groups are remembered in bounded space: with more than
/// `max_groups` active in one second, those that do not fit share one limit.
inline void warn_limited(std::string_view group, std::string_view event, fields with = {}) {
  if (enabled(level::warn)) {
    detail::write_limited(level::warn, group, event, with);
  }
}
inline constexpr std::size_t lines_per_second = 10;
inline constexpr std::size_t max_groups = 1024;

/// Tells at once of what was suppressed and not told yet: for who ends.
void tell_suppressed();

/// Waits until stderr has taken every line, at most that long; false if it has not.
bool flush(duration limit);

/// Lines suppressed since the process began, told or not.
std::uint64_t suppressed_lines();

/// Where lines go instead of stderr, without time and newline ("warn peer_lost peer=..."). An empty
/// function means stderr again. It is called by one thread at a time and must not log.
using sink = std::function<void(level, std::string_view line)>;
void set_sink(sink to);

/// Whose clock the limits go by: `clock` outlives its use; null means `platform::system()` again.
/// Forgets all groups.
void set_platform(platform* clock);

}  // namespace mailroom::log
