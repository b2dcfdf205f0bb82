#pragma once

#include <mailroom/framework/base/error.hpp>

namespace mailroom::wire {

/// Garbage, as PROTOCOL.md section 12 has it. Not installed: for what reads frames here.
inline error malformed(const char* what) {
  return error(errc::protocol_error, what);
}

}  // namespace mailroom::wire
