#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mailroom {

/// What an option holds, and how it is written in TOML; in the environment and in flags all are
/// plain text.
enum class option_type : std::uint8_t {
  text,     ///< "tcp://127.0.0.1:7001"
  boolean,  ///< true, false
  integer,  ///< 4
  time,     ///< "250ms", as `parse_duration` reads it
  size,     ///< "64KiB", as `parse_size` reads it, or a number of bytes
  list,     ///< ["a", "b"]; outside of TOML a,b
};

/// One thing that can be configured.
struct option {
  /// Words of a-z, 0-9, '_' and '-', joined by dots: "node.listen". A word "*" stands for names
  /// that users choose: "placement.*" allows placement.echo and placement."meters.cpu", and
  /// "executors.*.workers" allows executors.heavy.workers.
  std::string key;
  option_type type = option_type::text;
  /// Written as in the environment. Not used for free names, which exist only where they are set.
  std::string fallback;
  /// One line for people.
  std::string help;
  /// Neither printed nor quoted in errors.
  bool secret = false;
  /// For text: the only values allowed, if any are named.
  std::vector<std::string> choices;
  /// For integers, both included.
  std::int64_t minimum = std::numeric_limits<std::int64_t>::min();
  std::int64_t maximum = std::numeric_limits<std::int64_t>::max();
};

/// How an option is called outside of the file; a leading "node." is dropped there.
/// "node.listen" -> MAILROOM_LISTEN, --listen; "executor.max_turns" -> MAILROOM_EXECUTOR_MAX_TURNS,
/// --executor-max-turns.
std::string environment_name(std::string_view key);
std::string flag_name(std::string_view key);

/// All options of a program, in the order in which they are shown.
class config_schema {
 public:
  /// Throws `std::logic_error` for a defect of the program: a key or a name used twice, a fallback
  /// that its own type refuses.
  config_schema& add(option what);

  const std::vector<option>& options() const noexcept { return options_; }

  /// For --help: a line with flag, environment variable, fallback and help for each option.
  std::string usage() const;

 private:
  std::vector<option> options_;
};

/// Where values come from; a later one outranks those before it.
struct config_sources {
  using pairs = std::vector<std::pair<std::string, std::string>>;

  /// Path of a TOML file; empty for none.
  std::string file;
  /// Names and values; those not beginning with MAILROOM_ are left alone.
  pairs environment;
  /// Names without dashes, and values: {"listen", "tcp://..."}. Repeated, a list grows and
  /// everything else takes the last.
  pairs flags;
};

/// The environment of this process. Not while another thread calls setenv.
config_sources::pairs process_environment();

/// The values that a program runs with, each with its origin. Immutable after `load`, so any thread
/// may read it; asking for what the schema does not declare, or as another type, throws
/// `std::logic_error`.
class config {
 public:
  /// Reads all sources; blocks on the file. Fails with `errc::invalid_value` for an unknown name or
  /// a value that cannot be (saying where, and the nearest known name), with `errc::io` for a file
  /// that cannot be read.
  static result<config> load(config_schema schema, const config_sources& sources);

  const std::string& text(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  duration time(std::string_view key) const;
  std::uint64_t size(std::string_view key) const;
  const std::vector<std::string>& list(std::string_view key) const;

  /// Whether there is a value: free names exist only where they are set.
  bool has(std::string_view key) const noexcept { return entries_.find(key) != entries_.end(); }

  /// Whether any source set it.
  bool is_set(std::string_view key) const;

  /// "default", "node.toml:3", "environment MAILROOM_LISTEN" or "flag --listen".
  const std::string& origin(std::string_view key) const;

  /// The free names that were set below `table`, without it: {"echo", "meters.cpu"} of "placement",
  /// {"heavy"} of "executors".
  std::vector<std::string> names(std::string_view table) const;

  /// A line for each value with its origin, as TOML with comments. Secrets are not shown.
  std::string print() const;

 private:
  friend class config_loader;

  using value = std::
      variant<std::string, bool, std::int64_t, duration, std::uint64_t, std::vector<std::string>>;

  struct entry {
    std::size_t index = 0;  // Of its option in the schema.
    value held;
    std::string origin;
  };

  const entry& at(std::string_view key) const;

  template <class T>
  const T& get(std::string_view key) const;

  config_schema schema_;
  std::map<std::string, entry, std::less<>> entries_;
};

}  // namespace mailroom
