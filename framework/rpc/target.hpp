#pragma once

#include <mailroom/framework/base/result.hpp>

#include <string>
#include <string_view>

namespace mailroom {

/// Where a message goes (Oslo Messaging: Target). A server needs a topic; a client too, and names
/// the version it wants. Empty means not given.
struct target {
  std::string exchange = "mailroom";  ///< Scopes topics, fanout included.
  std::string topic;
  std::string name_space;  ///< Several interfaces behind one topic. Empty is the null namespace.
  std::string version;     ///< "major.minor"; not given means 1.0.
  std::string server;      ///< One server by its node name, and no other.
  bool fanout = false;     ///< All servers of the topic; casts only.
};

namespace rpc {

/// Whether an endpoint of version `implemented` serves a request for `requested`: same major, minor
/// not above its own (Oslo Messaging: version_is_compatible). Not given is 1.0 on either side.
bool version_is_compatible(std::string_view implemented, std::string_view requested) noexcept;

/// `errc::invalid_value` for what is not "major.minor" in digits (or empty).
result<void> check_version(std::string_view version);

/// `errc::invalid_target` for what can be neither served nor called: no topic, a version that is
/// none, a name that no peer would read.
result<void> check_target(const target& at);

}  // namespace rpc
}  // namespace mailroom
