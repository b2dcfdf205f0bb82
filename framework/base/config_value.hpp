#pragma once

#include <mailroom/framework/base/config.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What config.cpp and config_loader.cpp share: single values, read and written. Not installed.

namespace mailroom::config_detail {

inline constexpr std::string_view variable_prefix = "MAILROOM_";

using held_value = std::
    variant<std::string, bool, std::int64_t, duration, std::uint64_t, std::vector<std::string>>;

inline bool is_free(const option& what) {
  return what.key.find(".*") != std::string::npos;
}

/// "placement." of "placement.*", "executors." of "executors.*.workers".
inline std::string_view table_of(const option& what) {
  return std::string_view(what.key).substr(0, what.key.find('*'));
}

/// "" of "placement.*", ".workers" of "executors.*.workers".
inline std::string_view tail_of(const option& what) {
  return std::string_view(what.key).substr(what.key.find('*') + 1);
}

/// For people: what `type` wants to see.
std::string_view name_of(option_type type);

/// " (nearest: listen)", or nothing if no name is near.
std::string hint(std::string_view name, const std::vector<std::string>& known);

/// Reads a value as it is written in the environment, in flags and in fallbacks.
result<held_value> parse_value(const option& what, std::string_view text);

/// Writes a value and a key as TOML.
std::string value_in_toml(const held_value& value);
std::string key_in_toml(const option& what, const std::string& key);

}  // namespace mailroom::config_detail
