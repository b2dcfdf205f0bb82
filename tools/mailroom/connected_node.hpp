#pragma once

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <optional>
#include <string>

namespace mailroom::cli {

/// When a --timeout that begins now is over. One holds over connecting and asking.
time_point end_of(duration timeout);

/// What is left of it; zero when it is over.
duration left_until(time_point end);

/// A node that only calls, connected to one other: what most verbs work through. It logs nothing,
/// since a verb says in its one line what went wrong. A node cannot be kept from starting: if it
/// has not when `until` has passed, this says so for `verb` and ends the process with 1.
result<void> connect(const std::string& verb,
                     std::optional<node>& into,
                     const std::string& address,
                     time_point until,
                     const std::string& executor = "loop-bound");

/// Why the node at `address` has not been reached; nothing if it has been.
std::optional<error> not_reached(node& here, const std::string& address);

/// `why` as a control plane said it, or why that has not been reached if it says only so.
error with_reason(node& here, const std::string& address, const error& why);

}  // namespace mailroom::cli
