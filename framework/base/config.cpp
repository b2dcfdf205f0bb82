#include <mailroom/framework/base/config.hpp>
#include <mailroom/framework/base/config_value.hpp>

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace mailroom {

using config_detail::is_free;
using config_detail::key_in_toml;
using config_detail::parse_value;
using config_detail::table_of;
using config_detail::tail_of;
using config_detail::value_in_toml;
using config_detail::variable_prefix;

namespace {

std::string_view name_outside(std::string_view key) {
  constexpr std::string_view node = "node.";
  return key.starts_with(node) ? key.substr(node.size()) : key;
}

}  // namespace

std::string environment_name(std::string_view key) {
  std::string name(variable_prefix);
  for (const char c : name_outside(key)) {
    const bool separates = c == '.' || c == '-';
    name += separates ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

std::string flag_name(std::string_view key) {
  std::string name(name_outside(key));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  return "--" + name;
}

config_schema& config_schema::add(option what) {
  for (const auto& known : options_) {
    if (known.key == what.key || environment_name(known.key) == environment_name(what.key)) {
      throw std::logic_error("option " + what.key + " would be taken for " + known.key);
    }
  }
  if (!is_free(what)) {
    if (const auto fallback = parse_value(what, what.fallback); !fallback) {
      throw std::logic_error("fallback of option " + what.key + ": " +
                             fallback.error().to_string());
    }
  }
  options_.push_back(std::move(what));
  return *this;
}

std::string config_schema::usage() const {
  std::string out;
  for (const auto& what : options_) {
    out += "  " + flag_name(what.key) + "  " + what.help + " (" + environment_name(what.key);
    out += what.secret || what.fallback.empty() ? ")\n" : "; default " + what.fallback + ")\n";
  }
  return out;
}

config_sources::pairs process_environment() {
  config_sources::pairs all;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view variable(*at);
    if (const auto equals = variable.find('='); equals != std::string_view::npos) {
      all.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
    }
  }
  return all;
}

const config::entry& config::at(std::string_view key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    throw std::logic_error("no option " + std::string(key) + " in this program");
  }
  return found->second;
}

template <class T>
const T& config::get(std::string_view key) const {
  const auto* held = std::get_if<T>(&at(key).held);
  if (held == nullptr) {
    throw std::logic_error("option " + std::string(key) + " is of another type");
  }
  return *held;
}

const std::string& config::text(std::string_view key) const {
  return get<std::string>(key);
}

bool config::boolean(std::string_view key) const {
  return get<bool>(key);
}

std::int64_t config::integer(std::string_view key) const {
  return get<std::int64_t>(key);
}

duration config::time(std::string_view key) const {
  return get<duration>(key);
}

std::uint64_t config::size(std::string_view key) const {
  return get<std::uint64_t>(key);
}

const std::vector<std::string>& config::list(std::string_view key) const {
  return get<std::vector<std::string>>(key);
}

bool config::is_set(std::string_view key) const {
  return at(key).origin != "default";
}

const std::string& config::origin(std::string_view key) const {
  return at(key).origin;
}

std::vector<std::string> config::names(std::string_view table) const {
  std::vector<std::string> found;
  const auto start = std::string(table) + ".";
  for (const auto& [key, held] : entries_) {
    const auto& what = schema_.options()[held.index];
    if (is_free(what) && table_of(what) == start) {
      auto name = key.substr(start.size(), key.size() - start.size() - tail_of(what).size());
      if (std::find(found.begin(), found.end(), name) == found.end()) {
        found.push_back(std::move(name));
      }
    }
  }
  return found;
}

std::string config::print() const {
  std::string out;
  for (std::size_t i = 0; i < schema_.options().size(); ++i) {
    const auto& what = schema_.options()[i];
    for (const auto& [key, held] : entries_) {
      if (held.index != i) {
        continue;
      }
      if (what.secret) {
        out += "# " + key_in_toml(what, key) + " is not shown  # " + held.origin + "\n";
      } else {
        out +=
            key_in_toml(what, key) + " = " + value_in_toml(held.held) + "  # " + held.origin + "\n";
      }
    }
  }
  return out;
}

}  // namespace mailroom
