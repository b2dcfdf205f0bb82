#pragma once

#include <mailroom/framework/base/result.hpp>

#include <string>
#include <string_view>

namespace mailroom {

namespace rpc {

inline constexpr std::string_view default_exchange = "mailroom";

}  // namespace rpc

/// A target lent for the length of a call, as a `std::string_view` lends a string: what a client is
/// made from. Written in place, `{.topic = "inventory"}`, or lent by a `target` that has a name.
/// It owns nothing, so that it may stand in a statement with a `co_await`: see `task`.
struct target_view {
  std::string_view exchange = rpc::default_exchange;
  std::string_view topic = {};
  std::string_view name_space = {};
  std::string_view version = {};
  std::string_view server = {};
  bool fanout = false;
};

/// Where a message goes, a plain value (Oslo Messaging: Target). A server needs a topic; a client
/// too, and names the version it wants. Empty means not given.
struct target {
  std::string exchange{rpc::default_exchange};  ///< Scopes topics, fanout included.
  std::string topic;
  std::string name_space;  ///< Several interfaces behind one topic. Empty is the null namespace.
  std::string version;     ///< "major.minor"; not given means 1.0.
  std::string server;      ///< One server by its node name, and no other.
  bool fanout = false;     ///< All servers of the topic, and all instances there; casts only.

  operator target_view() const& noexcept {  // NOLINT(google-explicit-constructor)
    return {exchange, topic, name_space, version, server, fanout};
  }
  // A view of a temporary would dangle, and g++ 12 breaks such a temporary beside a `co_await`.
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator target_view() const&& = delete;  // Write {.topic = ...} alone, or name the target.
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
