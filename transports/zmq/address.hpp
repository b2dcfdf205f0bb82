#pragma once

#include <mailroom/framework/base/result.hpp>

#include <string>

namespace mailroom::transports::zmq {

/// "tcp://host:port" or "ipc://path" taken apart.
struct address {
  std::string text;  ///< As it was given.
  std::string host;  ///< Without the brackets of IPv6; empty for ipc.
  std::string port;  ///< Digits; empty for ipc.
  std::string path;  ///< Of ipc; begins with '@' for a name without a file.

  bool is_tcp() const noexcept { return path.empty(); }

  /// Whether `host` needs no looking up. `*` does not.
  bool is_numeric() const noexcept;

  /// As libzmq wants it, with `numeric` in place of the host.
  std::string with_host(const std::string& numeric) const;

  /// Errors: `errc::invalid_value` with what it should look like.
  static result<address> parse(const std::string& text);
};

/// Whom a connected descriptor leads to: "127.0.0.1:52114", "pid 4711" for ipc; empty if it is not
/// connected.
/// @threadsafe
std::string peer_of(int descriptor);

/// The system's reason why nobody can be reached at an ipc path now; `errc::ok` if somebody
/// listens.
error try_path(const std::string& path);

}  // namespace mailroom::transports::zmq
