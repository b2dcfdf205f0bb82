#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// How people write names, times and sizes. Pure functions: any thread, nothing blocks.

namespace mailroom {

/// How many single characters must be inserted, removed, replaced or swapped with their neighbour
/// to make `to` of `from` (optimal string alignment).
std::size_t edit_distance(std::string_view from, std::string_view to);

/// The candidate that somebody who wrote `name` probably meant; empty if none is near enough.
std::string nearest(std::string_view name, std::span<const std::string> candidates);

/// "250ms", "1.5s", "5m": a number and one of ns, us, ms, s, m, h, d; a bare 0 is zero.
/// Anything else, negative or too long to represent is `errc::invalid_value`.
result<duration> parse_duration(std::string_view text);

/// As `parse_duration` reads it, in the largest unit that leaves a whole number: "250ms".
std::string format_duration(duration value);

/// "64KiB", "10MB", "512": a whole number of B, KB, MB, GB (powers of 1000), KiB, MiB or GiB (of
/// 1024); without a unit, bytes. Anything else is `errc::invalid_value`.
result<std::uint64_t> parse_size(std::string_view text);

/// As `parse_size` reads it, in the largest power of 1024 that leaves a whole number: "64KiB".
std::string format_size(std::uint64_t bytes);

/// The text as a terminal and a line may have it: what is not UTF-8, control characters, new lines,
/// and what turns the direction of writing are escaped as \n or \x1b are; so are quotes and
/// backslashes.
std::string shown(std::string_view text);
void append_shown(std::string& line, std::string_view text);

/// Whether it is UTF-8 with nothing in it that a terminal or an editor would not just show.
bool is_shown(std::string_view text) noexcept;

}  // namespace mailroom
