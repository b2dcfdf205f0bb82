#pragma once

#include <string_view>

namespace mailroom {

/// Opens those of standard input, output and error that are closed, to nothing: else some socket
/// would become one, and be written to. To be called first of all in `main`.
void open_standard_streams() noexcept;

/// `code`, unless what was written to standard output (by `std::cout` or stdio) has not arrived: a
/// full disk, a reader that has gone. Then it says so for `program` on standard error; 1.
int unless_unseen(std::string_view program, int code);

}  // namespace mailroom
