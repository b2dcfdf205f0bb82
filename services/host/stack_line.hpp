#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace mailroom {

/// A stack as one line, "innermost < its caller < ... < the handler", of at most `at_most` bytes:
/// functions between the innermost ones and the handler are left out if it must be shorter. What
/// calls a handler (executors, actors, the start of a thread) is left out, unless all of it is
/// that.
std::string stack_line(std::span<const std::string> functions, std::size_t at_most);

}  // namespace mailroom
