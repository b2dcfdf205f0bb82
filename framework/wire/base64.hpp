#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailroom::wire {

/// Base64 with `+`, `/` and padding (RFC 4648, section 4). Pure functions, any thread.
std::string to_base64(std::string_view raw);

/// Nothing if `text` is not what `to_base64` would have written.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace mailroom::wire
