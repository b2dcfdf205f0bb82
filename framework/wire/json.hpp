#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/wire/buffer.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

/// Bodies as JSON, for people: the command line, logs, tests. Not for the hot path. Pure functions,
/// any thread.
///
/// What JSON has no word for is an object with one key that begins with `$`, and is read back from
/// it:
/// `{"$bytes": "aGk="}` (bin, and str that is not UTF-8; base64), `{"$float": "nan"}` (or "inf",
/// "-inf"),
/// `{"$ext": [7, "aGk="]}` (type and data), `{"$map": [[1, "one"]]}` (a map whose keys are not all
/// text, or begin with `$`).
namespace mailroom::wire {

/// An argument list from a JSON array. `errc::invalid_arguments` says what is wrong and where.
result<buffer> arguments_from_json(std::string_view text);

/// A value from any JSON. `errc::invalid_value` says what is wrong and where.
result<buffer> value_from_json(std::string_view text);

/// The one value of a body as JSON; `pretty`: over several lines. `errc::bad_reply` if it is no
/// MessagePack.
result<std::string> json_from_body(std::span<const std::byte> body, bool pretty = false);

}  // namespace mailroom::wire
