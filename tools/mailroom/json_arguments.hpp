#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/wire/buffer.hpp>

#include <string>

namespace mailroom::cli {

/// As `wire::arguments_from_json`, but what would lose something on the way is refused as well: an
/// integer beyond 64 bits, a key that an object has twice.
result<wire::buffer> read_arguments(const std::string& text);

}  // namespace mailroom::cli
