#include <mailroom/framework/base/config.hpp>
#include <mailroom/framework/base/config_value.hpp>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>

namespace mailroom {

using config_detail::held_value;
using config_detail::hint;
using config_detail::is_free;
using config_detail::name_of;
using config_detail::parse_value;
using config_detail::table_of;
using config_detail::tail_of;
using config_detail::variable_prefix;

namespace {

// Appends the file to `text`; gives errno, or 0. A folder opens, and fails only when it is read.
int read_all(const std::string& path, std::string& text) {
  std::FILE* const in = std::fopen(path.c_str(), "rbe");
  if (in == nullptr) {
    return errno;
  }
  std::array<char, 4096> block{};
  std::size_t got = 0;
  while ((got = std::fread(block.data(), 1, block.size(), in)) > 0) {
    text.append(block.data(), got);
  }
  const int failed = std::ferror(in) != 0 ? errno : 0;
  (void)std::fclose(in);
  return failed;
}

error invalid(const std::string& where, const std::string& what) {
  return error(errc::invalid_value, where + ": " + what);
}

result<held_value> parse_node(const option& what, const toml::node& node) {
  const auto type = what.type;
  if (type == option_type::list && node.is_array()) {
    std::vector<std::string> items;
    for (const auto& item : *node.as_array()) {
      if (!item.is_string()) {
        return error(errc::invalid_value, "wants a list of texts");
      }
      items.push_back(item.as_string()->get());
    }
    return held_value(std::move(items));
  }
  const bool written_as_text =
      type == option_type::text || type == option_type::time || type == option_type::size;
  if (written_as_text && node.is_string()) {
    return parse_value(what, node.as_string()->get());
  }
  if ((type == option_type::integer || type == option_type::size) && node.is_integer()) {
    return parse_value(what, std::to_string(node.as_integer()->get()));
  }
  if (type == option_type::boolean && node.is_boolean()) {
    return held_value(node.as_boolean()->get());
  }
  return error(errc::invalid_value, "wants " + std::string(name_of(type)));
}

}  // namespace

/// Fills a `config` source by source; each function gives the first thing that is wrong.
class config_loader {
 public:
  explicit config_loader(config& into) : into_(into), options_(into.schema_.options()) {}

  void take_fallbacks() {
    for (std::size_t i = 0; i < options_.size(); ++i) {
      if (!is_free(options_[i])) {
        into_.entries_[options_[i].key] = {
            i, *parse_value(options_[i], options_[i].fallback), "default"};
      }
    }
  }

  std::optional<error> take_file(const std::string& path) {
    std::string text;
    if (const int failed = read_all(path, text); failed != 0) {
      return error(errc::io, path + ": " + std::generic_category().message(failed));
    }
    const auto parsed = toml::parse(text, path);
    if (!parsed) {
      const auto at = parsed.error().source().begin;
      return invalid(path + ":" + std::to_string(at.line) + ":" + std::to_string(at.column),
                     std::string(parsed.error().description()));
    }
    path_ = path;
    collect(parsed.table(), "");
    // TOML++ sorts by name; people read from the top.
    std::stable_sort(leaves_.begin(), leaves_.end(), [](const leaf& a, const leaf& b) {
      return a.line < b.line;
    });
    for (const auto& found : leaves_) {
      if (auto wrong = take_leaf(found)) {
        return wrong;
      }
    }
    return std::nullopt;
  }

  std::optional<error> take_environment(const config_sources::pairs& variables) {
    for (const auto& [name, text] : variables) {
      if (!name.starts_with(variable_prefix)) {
        continue;
      }
      const auto found = find(name, environment_name);
      if (!found) {
        return invalid("environment " + name,
                       "no such option" + hint(name, known(environment_name)));
      }
      if (auto wrong = set(*found, text, "environment " + name)) {
        return wrong;
      }
    }
    return std::nullopt;
  }

  std::optional<error> take_flags(const config_sources::pairs& flags) {
    for (const auto& [name, text] : flags) {
      const auto flag = "--" + name;
      const auto found = find(flag, flag_name);
      if (!found) {
        return invalid("flag " + flag, "no such option" + hint(flag, known(flag_name)));
      }
      if (auto wrong = set(*found, text, "flag " + flag)) {
        return wrong;
      }
    }
    return std::nullopt;
  }

 private:
  struct leaf {
    std::string key;
    std::size_t line;
    const toml::node* node;
  };

  struct match {
    std::size_t index;
    std::string key;
  };

  using naming = std::string (*)(std::string_view);

  static std::string as_in_file(std::string_view key) { return std::string(key); }

  // The option that is called `name` where `call` says how options are called; a free one if no
  // other.
  std::optional<match> find(const std::string& name, naming call) const {
    for (std::size_t i = 0; i < options_.size(); ++i) {
      if (!is_free(options_[i]) && call(options_[i].key) == name) {
        return match{i, options_[i].key};
      }
    }
    for (std::size_t i = 0; i < options_.size(); ++i) {
      if (!is_free(options_[i])) {
        continue;
      }
      const auto start = call(table_of(options_[i]));
      // How the tail is called shows only behind something.
      const auto tail = call("x" + std::string(tail_of(options_[i]))).substr(call("x").size());
      if (name.size() > start.size() + tail.size() && name.starts_with(start) &&
          name.ends_with(tail)) {
        auto free_name = name.substr(start.size(), name.size() - start.size() - tail.size());
        if (call == environment_name) {
          std::transform(free_name.begin(), free_name.end(), free_name.begin(), [](char c) {
            return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
          });
        }
        return match{
            i, std::string(table_of(options_[i])) + free_name + std::string(tail_of(options_[i]))};
      }
    }
    return std::nullopt;
  }

  std::vector<std::string> known(naming call) const {
    std::vector<std::string> names;
    for (const auto& what : options_) {
      names.push_back(call(what.key));
    }
    return names;
  }

  // Whether `key` names a table that holds options.
  bool is_table(const std::string& key) const {
    return std::any_of(options_.begin(), options_.end(), [start = key + "."](const auto& o) {
      return o.key.starts_with(start);
    });
  }

  bool within_free_table(const std::string& key) const {
    return std::any_of(options_.begin(), options_.end(), [&key](const auto& o) {
      return is_free(o) && key.starts_with(table_of(o));
    });
  }

  void collect(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const auto key = prefix + std::string(name.str());
      if (node.is_table() && (is_table(key) || within_free_table(key))) {
        collect(*node.as_table(), key + ".");
      } else {
        leaves_.push_back({key, name.source().begin.line, &node});
      }
    }
  }

  std::optional<error> take_leaf(const leaf& found) {
    const auto where = path_ + ":" + std::to_string(found.line);
    const auto option = find(found.key, as_in_file);
    if (!option && is_table(found.key)) {
      return invalid(where, found.key + " is a table: write [" + found.key + "] above its keys");
    }
    if (!option) {
      return invalid(where, "unknown key " + found.key + suggestion(found.key));
    }
    const auto& what = options_[option->index];
    auto value = parse_node(what, *found.node);
    if (!value) {
      return refused(where, option->key, what, value.error());
    }
    into_.entries_[option->key] = {option->index, *std::move(value), where};
    return std::nullopt;
  }

  std::string suggestion(const std::string& key) const {
    auto names = known(as_in_file);
    const auto dot = key.rfind('.');
    for (const auto& what : options_) {  // Below a name that the user chose.
      if (is_free(what) && !tail_of(what).empty() && dot != std::string::npos &&
          key.starts_with(table_of(what))) {
        names.push_back(key.substr(0, dot) + std::string(tail_of(what)));
      }
    }
    for (const auto& what : options_) {  // A table's name may be what is misspelled.
      for (auto end = what.key.find('.'); end != std::string::npos;
           end = what.key.find('.', end + 1)) {
        names.push_back(what.key.substr(0, end));
      }
    }
    if (auto near = hint(key, names); !near.empty()) {
      return near;
    }
    for (const auto& what : options_) {  // The right word in the wrong table.
      if (what.key.ends_with("." + key.substr(key.rfind('.') + 1))) {
        return " (nearest: " + what.key + ")";
      }
    }
    return "";
  }

  std::optional<error> set(const match& found, const std::string& text, const std::string& origin) {
    const auto& what = options_[found.index];
    auto value = parse_value(what, text);
    if (!value) {
      return refused(origin, found.key, what, value.error());
    }
    auto& entry = into_.entries_[found.key];
    if (what.type == option_type::list && entry.origin == origin) {
      auto& items = std::get<std::vector<std::string>>(entry.held);
      auto& more = std::get<std::vector<std::string>>(*value);
      items.insert(items.end(), more.begin(), more.end());
      return std::nullopt;
    }
    entry = {found.index, *std::move(value), origin};
    return std::nullopt;
  }

  static error refused(const std::string& where,
                       const std::string& key,
                       const option& what,
                       const error& why) {
    return invalid(where,
                   key + ": " +
                       (what.secret ? "wants " + std::string(name_of(what.type))
                                    : std::string(why.message())));
  }

  config& into_;
  const std::vector<option>& options_;
  std::string path_;
  std::vector<leaf> leaves_;
};

result<config> config::load(config_schema schema, const config_sources& sources) {
  config made;
  made.schema_ = std::move(schema);
  config_loader loader(made);
  loader.take_fallbacks();
  if (!sources.file.empty()) {
    if (auto wrong = loader.take_file(sources.file)) {
      return *std::move(wrong);
    }
  }
  if (auto wrong = loader.take_environment(sources.environment)) {
    return *std::move(wrong);
  }
  if (auto wrong = loader.take_flags(sources.flags)) {
    return *std::move(wrong);
  }
  return made;
}

}  // namespace mailroom
