#pragma once

#include <mailroom/framework/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailroom::transports::zmq {

/// "tcp://host:port" or "ipc://path" taken apart.
struct address {
  std::string text;  ///< As it was given.
  std::string host;  ///< Without the brackets of IPv6; empty for ipc.
  std::string port;  ///< Digits; empty for ipc.
  std::string path;  ///< Of ipc; begins with '@' for a name without a file.

  bool is_tcp() const noexcept { return path.empty(); }
  bool has_file() const noexcept { return !path.empty() && path.front() != '@' && path != "*"; }

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

/// Whether a descriptor is a connection that was accepted at `bound`, an address in libzmq's words.
/// @threadsafe
bool is_accepted_at(int descriptor, const std::string& bound);

/// The part of a peer's address that a limit on log lines is for, whichever port it comes from.
inline std::string_view host_of(std::string_view peer) {
  return peer.substr(0, peer.rfind(':'));
}

/// The system's reason why nobody can be reached at an ipc path now; `errc::ok` if somebody
/// listens.
error try_path(const std::string& path);

/// Whether an ipc path can be listened on: it does not exist, or is a socket that nobody listens on
/// any more (which libzmq replaces). `errc::io` with the reason otherwise.
result<void> check_free(const std::string& path);

/// The file of a socket that we listen on.
class socket_file {
 public:
  /// None if there is no such socket.
  static std::optional<socket_file> at(const std::string& path);

  /// Unless another has taken its place.
  void remove() const noexcept;

 private:
  std::string path_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace mailroom::transports::zmq
