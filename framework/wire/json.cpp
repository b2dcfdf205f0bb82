#include <mailroom/framework/wire/base64.hpp>
#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace mailroom::wire {
namespace {

using json = nlohmann::ordered_json;
using packer = msgpack::packer<buffer>;

// Why a JSON value cannot be packed; thrown inside this file only.
struct unpackable {
  std::string why;
};

std::uint32_t checked_size(std::size_t size) {
  if (size > std::numeric_limits<std::uint32_t>::max()) {
    throw unpackable{"too large for MessagePack"};
  }
  return static_cast<std::uint32_t>(size);
}

std::string decoded(const json& text) {
  auto raw = text.is_string() ? from_base64(text.get_ref<const std::string&>()) : std::nullopt;
  if (!raw) {
    throw unpackable{"bytes that are not base64: " + text.dump().substr(0, 40)};
  }
  return *std::move(raw);
}

// Not the library's, which packs 1.0 as 1.
void pack_double(buffer& body, double number) {
  const auto bits = std::bit_cast<std::uint64_t>(number);
  std::byte* at = body.extend(9);
  *at++ = std::byte{0xcb};
  for (unsigned shift = 64; shift != 0; shift -= 8) {
    *at++ = static_cast<std::byte>(bits >> (shift - 8U));
  }
}

void pack_json(buffer& body, const json& value, std::size_t depth);

void pack_run(buffer& body, const std::string& raw) {
  const auto size = checked_size(raw.size());
  packer(body).pack_bin(size);
  packer(body).pack_bin_body(raw.data(), size);
}

void pack_float(buffer& body, const json& name) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (name == "nan") {
    pack_double(body, std::numeric_limits<double>::quiet_NaN());
  } else if (name == "inf") {
    pack_double(body, infinity);
  } else if (name == "-inf") {
    pack_double(body, -infinity);
  } else {
    throw unpackable{"a $float that is none of nan, inf, -inf"};
  }
}

void pack_ext(buffer& body, const json& parts) {
  if (!parts.is_array() || parts.size() != 2 || !parts[0].is_number_integer() || parts[0] < -128 ||
      parts[0] > 127) {
    throw unpackable{"an $ext that is not [type from -128 to 127, base64]"};
  }
  const std::string raw = decoded(parts[1]);
  packer(body).pack_ext(checked_size(raw.size()), parts[0].get<std::int8_t>());
  packer(body).pack_ext_body(raw.data(), checked_size(raw.size()));
}

void pack_pairs(buffer& body, const json& pairs, std::size_t depth) {
  if (!pairs.is_array()) {
    throw unpackable{"a $map that is not an array of [key, value]"};
  }
  packer(body).pack_map(checked_size(pairs.size()));
  for (const json& pair : pairs) {
    if (!pair.is_array() || pair.size() != 2) {
      throw unpackable{"a $map that is not an array of [key, value]"};
    }
    pack_json(body, pair[0], depth);
    pack_json(body, pair[1], depth);
  }
}

void pack_object(buffer& body, const json& object, std::size_t depth) {
  if (object.size() == 1 && !object.begin().key().empty() && object.begin().key().front() == '$') {
    const auto& name = object.begin().key();
    const json& what = object.begin().value();
    if (name == "$bytes") {
      return pack_run(body, decoded(what));
    }
    if (name == "$float") {
      return pack_float(body, what);
    }
    if (name == "$ext") {
      return pack_ext(body, what);
    }
    if (name == "$map") {
      return pack_pairs(body, what, depth);
    }
  }
  packer(body).pack_map(checked_size(object.size()));
  for (const auto& [key, each] : object.items()) {
    packer(body).pack(key);
    pack_json(body, each, depth);
  }
}

void pack_json(buffer& body, const json& value, std::size_t depth) {
  if (value.is_structured() && depth == 0) {
    throw unpackable{"nested deeper than " + std::to_string(max_depth)};
  }
  switch (value.type()) {
    case json::value_t::null: packer(body).pack_nil(); break;
    case json::value_t::boolean: packer(body).pack(value.get<bool>()); break;
    case json::value_t::number_integer: packer(body).pack(value.get<std::int64_t>()); break;
    case json::value_t::number_unsigned: packer(body).pack(value.get<std::uint64_t>()); break;
    case json::value_t::number_float: pack_double(body, value.get<double>()); break;
    case json::value_t::string: packer(body).pack(value.get_ref<const std::string&>()); break;
    case json::value_t::array:
      packer(body).pack_array(checked_size(value.size()));
      for (const json& each : value) {
        pack_json(body, each, depth - 1);
      }
      break;
    case json::value_t::object: pack_object(body, value, depth - 1); break;
    case json::value_t::binary:
    case json::value_t::discarded: throw unpackable{"no JSON"};
  }
}

// "line 1, column 3: unexpected ..." out of "[json.exception.parse_error.101] parse error at line
// 1, ...".
std::string place_and_reason(const json::exception& wrong) {
  std::string_view text = wrong.what();
  for (const std::string_view before : {"] ", "parse error at "}) {
    if (const auto at = text.find(before); at != std::string_view::npos) {
      text.remove_prefix(at + before.size());
    }
  }
  constexpr std::size_t enough = 200;  // It quotes what was read so far.
  return text.size() <= enough ? std::string(text) : std::string(text.substr(0, enough)) + "...";
}

result<buffer> body_from_json(std::string_view text, bool arguments) {
  const errc code = arguments ? errc::invalid_arguments : errc::invalid_value;
  const std::string what = arguments ? "the arguments" : "the value";
  try {
    const json value = json::parse(text);
    if (arguments && !value.is_array()) {
      return error(code,
                   std::string(R"(the arguments must be a JSON array, as in ["hello", 3], not )") +
                       value.type_name());
    }
    buffer body;
    pack_json(body, value, max_depth);
    return body;
  } catch (const json::exception& wrong) {
    return error(code, what + " cannot be read as JSON: " + place_and_reason(wrong));
  } catch (const unpackable& wrong) {
    return error(code, what + ": " + wrong.why);
  }
}

bool is_utf8(std::string_view text) noexcept {
  // The library's own check, which is what dump() will apply.
  try {
    json(text).dump();
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

json run_to_json(const char* data, std::uint32_t size) {
  return {{"$bytes", to_base64({data, size})}};
}

json float_to_json(double number) {
  if (std::isfinite(number)) {
    return number;
  }
  return {{"$float", std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf"}};
}

json to_json(const msgpack::object& from);

json map_to_json(const msgpack::object_map& from) {
  json pairs = json::array();
  std::set<std::string_view> names;
  for (const auto& [key, value] : std::span(from.ptr, from.size)) {
    if (key.type == msgpack::type::STR &&
        !std::string_view(key.via.str.ptr, key.via.str.size).starts_with('$')) {
      names.emplace(key.via.str.ptr, key.via.str.size);
    }
    pairs.push_back(json::array({to_json(key), to_json(value)}));
  }
  const bool plain =
      names.size() == from.size &&
      std::all_of(pairs.begin(), pairs.end(), [](const json& pair) { return pair[0].is_string(); });
  if (!plain) {
    return {{"$map", std::move(pairs)}};
  }
  json object = json::object();
  auto& fields = object.get_ref<json::object_t&>();
  for (json& pair : pairs) {
    // Not through operator[], which looks at all that are there.
    fields.json::object_t::Container::emplace_back(std::move(pair[0].get_ref<std::string&>()),
                                                   std::move(pair[1]));
  }
  return object;
}

json to_json(const msgpack::object& from) {
  switch (from.type) {
    case msgpack::type::NIL: return nullptr;
    case msgpack::type::BOOLEAN: return from.via.boolean;
    case msgpack::type::POSITIVE_INTEGER: return from.via.u64;
    case msgpack::type::NEGATIVE_INTEGER: return from.via.i64;
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64: return float_to_json(from.via.f64);
    case msgpack::type::STR: {
      std::string text(from.via.str.ptr, from.via.str.size);
      return is_utf8(text) ? json(std::move(text))
                           : run_to_json(from.via.str.ptr, from.via.str.size);
    }
    case msgpack::type::BIN: return run_to_json(from.via.bin.ptr, from.via.bin.size);
    case msgpack::type::EXT:
      return {{"$ext",
               json::array(
                   {from.via.ext.type(), to_base64({from.via.ext.data(), from.via.ext.size})})}};
    case msgpack::type::ARRAY: {
      json array = json::array();
      for (const auto& each : std::span(from.via.array.ptr, from.via.array.size)) {
        array.push_back(to_json(each));
      }
      return array;
    }
    case msgpack::type::MAP: return map_to_json(from.via.map);
  }
  return nullptr;
}

}  // namespace

result<buffer> arguments_from_json(std::string_view text) {
  return body_from_json(text, true);
}

result<buffer> value_from_json(std::string_view text) {
  return body_from_json(text, false);
}

result<std::string> json_from_body(std::span<const std::byte> body, bool pretty) {
  if (body.empty() || value_size(body) != body.size()) {
    return error(errc::bad_reply, "the body is not one MessagePack value");
  }
  const auto tree = unpack_tree(body);
  return to_json(tree.get()).dump(pretty ? 2 : -1);
}

}  // namespace mailroom::wire
