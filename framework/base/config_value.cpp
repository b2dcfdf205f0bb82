#include <mailroom/framework/base/config_value.hpp>
#include <mailroom/framework/base/text.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>

namespace mailroom::config_detail {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return parts;
}

result<held_value> parse_text(const option& what, std::string_view text) {
  if (!what.choices.empty() &&
      std::find(what.choices.begin(), what.choices.end(), text) == what.choices.end()) {
    std::string all;
    for (const auto& choice : what.choices) {
      all += (all.empty() ? "" : ", ") + choice;
    }
    return error(errc::invalid_value,
                 "'" + std::string(text) + "' is none of " + all + hint(text, what.choices));
  }
  return held_value(std::string(text));
}

result<held_value> parse_integer(const option& what, std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc() || after != end) {
    return error(errc::invalid_value, "'" + std::string(text) + "' is no whole number");
  }
  if (number < what.minimum || number > what.maximum) {
    return error(errc::invalid_value,
                 "'" + std::string(text) + "' is not within " + std::to_string(what.minimum) +
                     " and " + std::to_string(what.maximum));
  }
  return held_value(number);
}

result<held_value> parse_boolean(std::string_view text) {
  if (text != "true" && text != "false") {
    return error(errc::invalid_value, "'" + std::string(text) + "' is neither true nor false");
  }
  return held_value(text == "true");
}

template <class T>
result<held_value> as_held(result<T> parsed) {
  if (!parsed) {
    return parsed.error();
  }
  return held_value(*std::move(parsed));
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20U || c == '\x7f') {
      constexpr std::string_view digits = "0123456789abcdef";
      const auto code = static_cast<unsigned char>(c);
      out += "\\u00";
      out += digits[code / 16U];
      out += digits[code % 16U];
    } else {
      out += c;
    }
  }
  return out + '"';
}

struct in_toml {
  std::string operator()(const std::string& v) const { return quote(v); }
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(duration v) const { return quote(format_duration(v)); }
  std::string operator()(std::uint64_t v) const { return quote(format_size(v)); }
  std::string operator()(const std::vector<std::string>& v) const {
    std::string out;
    for (const auto& item : v) {
      out += (out.empty() ? "" : ", ") + quote(item);
    }
    return "[" + out + "]";
  }
};

}  // namespace

std::string_view name_of(option_type type) {
  switch (type) {
    case option_type::text: return "text";
    case option_type::boolean: return "true or false";
    case option_type::integer: return "a whole number";
    case option_type::time: return "a duration like \"2s\"";
    case option_type::size: return "a size like \"64KiB\"";
    case option_type::list: return "a list of texts";
  }
  return "nothing";
}

std::string hint(std::string_view name, const std::vector<std::string>& known) {
  const auto near = nearest(name, known);
  return near.empty() ? "" : " (nearest: " + near + ")";
}

result<held_value> parse_value(const option& what, std::string_view text) {
  switch (what.type) {
    case option_type::text: return parse_text(what, text);
    case option_type::boolean: return parse_boolean(text);
    case option_type::integer: return parse_integer(what, text);
    case option_type::time: return as_held(parse_duration(text));
    case option_type::size: return as_held(parse_size(text));
    case option_type::list: return held_value(split(text));
  }
  return error(errc::internal, "an option of no type");
}

std::string value_in_toml(const held_value& value) {
  return std::visit(in_toml(), value);
}

// A free name may hold anything: placement."meters of cpu".
std::string key_in_toml(const option& what, const std::string& key) {
  const auto table = is_free(what) ? table_of(what) : std::string_view();
  const auto tail = is_free(what) ? tail_of(what) : std::string_view();
  const auto rest =
      std::string_view(key).substr(table.size(), key.size() - table.size() - tail.size());
  const bool bare = std::all_of(rest.begin(), rest.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  });
  return bare ? key : std::string(table) + quote(rest) + std::string(tail);
}

}  // namespace mailroom::config_detail
