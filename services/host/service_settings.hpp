#pragma once

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/base/config.hpp>

#include <vector>

namespace mailroom {

/// The settings that every service has, and `more`.
config_schema node_schema(const std::vector<option>& more);

/// What they say about the node. `errc::invalid_value` names where a value was given and what would
/// be right.
result<node_options> node_options_from(const config& settings);

}  // namespace mailroom
