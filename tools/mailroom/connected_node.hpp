#pragma once

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mailroom::cli {

/// When a --timeout that begins now is over. One holds over connecting and asking.
time_point end_of(duration timeout);

/// What is left of it; zero when it is over.
duration left_until(time_point end);

/// A node that only calls, connected to one other: what most verbs work through. It logs nothing,
/// since a verb says in its one line what went wrong. `errc::expired` if `until` has passed.
result<void> connect(std::optional<node>& into,
                     const std::string& address,
                     time_point until,
                     const std::string& executor = "loop-bound");

/// A node that finds whom it calls in directories.
result<void> find_through(std::optional<node>& into,
                          const std::vector<std::string>& directories,
                          time_point until);

/// The same for what is asked of a node itself: `ping` and `admin` wait for what they need, which
/// is no I/O loop of the other node.
result<void> begin_to_connect(std::optional<node>& into, const std::string& address);
result<void> begin_to_connect(std::optional<node>& into, std::vector<std::string> addresses);

}  // namespace mailroom::cli
