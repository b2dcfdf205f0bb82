#pragma once

#include <string_view>

namespace mailroom {

/// Opens those of standard input, output and error that are closed, so that no socket becomes one
/// and is written to: to nothing, and standard output to a disk that is full, so that what is said
/// there counts as unseen. To be called first of all in `main`.
void open_standard_streams() noexcept;

/// `code`, unless what was written to standard output (by `std::cout` or stdio) has not arrived: a
/// full disk, a reader that has gone. Then it says so for `program` on standard error; 1.
int unless_unseen(std::string_view program, int code);

}  // namespace mailroom
