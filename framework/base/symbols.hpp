#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom {

/// What the code at these addresses is called: "inventory::reserve", without parameters, template
/// arguments and return type, or "libc.so.6+0x1c3f0" where no symbol table knows it. The program
/// itself is looked up in its file, where functions that it does not export stand too (unless it
/// was stripped). The first address is that of an instruction, the others are return addresses, as
/// in a stack. Reads files and allocates: blocks, and is nothing for a signal handler.
/// @threadsafe
std::vector<std::string> functions_at(std::span<void* const> stack);

/// A demangled name without parameters, template arguments and return type.
std::string brief_function_name(std::string_view demangled);

}  // namespace mailroom
