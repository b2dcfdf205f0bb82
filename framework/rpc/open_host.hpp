#pragma once

#include <string>

namespace mailroom::rpc {

/// A node that listens at all interfaces cannot know by which of them it is reached, but who talks
/// to it can: `told` with its host (0.0.0.0, * or [::]) replaced by that of `reached`; as it is if
/// it names one, or is no tcp address. A pure function.
std::string with_host_of(const std::string& reached, std::string told);

}  // namespace mailroom::rpc
