#include <mailroom/transports/zmq/address.hpp>

#include <boost/asio/ip/address.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <system_error>

namespace mailroom::transports::zmq {
namespace {

bool is_port(std::string_view text) {
  unsigned value = 0;
  const char* last = text.data() + text.size();
  const auto read = std::from_chars(text.data(), last, value);
  return read.ec == std::errc{} && read.ptr == last && value <= 65535;
}

// 0, or why not.
int connect_to(const std::string& path) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) {
    return errno;
  }
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  std::copy_n(path.begin(), std::min(path.size(), sizeof where.sun_path - 1), where.sun_path);
  socklen_t size = sizeof where;
  if (path.front() == '@') {
    where.sun_path[0] = '\0';  // A name of the abstract kind ends where the address ends.
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  }
  const int failed =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&where), size) == 0 ? 0 : errno;
  ::close(probe);
  return failed;
}

}  // namespace

bool address::is_numeric() const noexcept {
  boost::system::error_code why;
  boost::asio::ip::make_address(host, why);
  return !why || host == "*";
}

std::string address::with_host(const std::string& numeric) const {
  if (!is_tcp()) {
    return text;
  }
  const bool six = numeric.find(':') != std::string::npos;
  return "tcp://" + (six ? "[" + numeric + "]" : numeric) + ":" + port;
}

result<address> address::parse(const std::string& text) {
  const std::string_view all = text;
  address read;
  read.text = text;
  if (all.starts_with("ipc://") && all.size() > 6) {
    read.path = all.substr(6);
    if (read.path.size() >= sizeof(sockaddr_un::sun_path)) {
      return error(errc::invalid_value, text + ": the path is too long for a socket");
    }
    return read;
  }
  if (all.find(',') != std::string_view::npos) {
    return error(errc::invalid_value, text + ": one address, not several");
  }
  const auto colon = all.rfind(':');
  if (!all.starts_with("tcp://") || colon <= 6) {
    return error(errc::invalid_value, text + ": write tcp://HOST:PORT or ipc://PATH");
  }
  if (!is_port(all.substr(colon + 1))) {
    return error(errc::invalid_value,
                 text + ": a port is a number up to 65535, not '" +
                     std::string(all.substr(colon + 1)) + "'");
  }
  std::string_view host = all.substr(6, colon - 6);
  if (host == "[]") {
    return error(errc::invalid_value, text + ": the brackets are empty");
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return error(errc::invalid_value,
                 text + ": an IPv6 address belongs in brackets, as in tcp://[::1]:7001");
  }
  read.host = host;
  read.port = all.substr(colon + 1);
  return read;
}

std::string peer_of(int descriptor) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  auto* const raw = reinterpret_cast<sockaddr*>(&peer);
  if (::getpeername(descriptor, raw, &size) != 0) {
    return {};
  }
  if (peer.ss_family == AF_UNIX) {
    ucred who{};
    size = sizeof who;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
      return {};
    }
    return "pid " + std::to_string(who.pid);
  }
  if (peer.ss_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &peer, sizeof four);
    return boost::asio::ip::address_v4(ntohl(four.sin_addr.s_addr)).to_string() + ":" +
           std::to_string(ntohs(four.sin_port));
  }
  if (peer.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &peer, sizeof six);
    boost::asio::ip::address_v6::bytes_type bytes{};
    std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
    return "[" + boost::asio::ip::address_v6(bytes).to_string() +
           "]:" + std::to_string(ntohs(six.sin6_port));
  }
  return {};
}

bool is_accepted_at(int descriptor, const std::string& bound) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    return false;
  }
  if (own.ss_family == AF_UNIX) {
    sockaddr_un local{};
    std::memcpy(&local, &own, sizeof local);
    std::string path(local.sun_path, size - offsetof(sockaddr_un, sun_path));
    if (!path.empty() && path.front() == '\0') {
      path.front() = '@';
    }
    return bound == "ipc://" + path.substr(0, path.find('\0'));
  }
  if (own.ss_family != AF_INET && own.ss_family != AF_INET6) {
    return false;
  }
  sockaddr_in port_of{};  // Of both families at the same place.
  std::memcpy(&port_of, &own, sizeof port_of);
  return bound.ends_with(":" + std::to_string(ntohs(port_of.sin_port)));
}

error try_path(const std::string& path) {
  const int failed = connect_to(path);
  // A full queue of connections has somebody behind it, too.
  return failed == 0 || failed == EAGAIN ? error(errc::ok)
                                         : error(errc::io, std::generic_category().message(failed));
}

result<void> check_free(const std::string& path) {
  struct stat seen {};
  const bool named = path.front() == '@';
  if (!named && ::lstat(path.c_str(), &seen) != 0) {
    // Whatever else is wrong is said when it is bound.
    return {};
  }
  if (!named && !S_ISSOCK(seen.st_mode)) {
    return error(errc::io, path + " exists and is no socket");
  }
  const int failed = connect_to(path);
  if (failed == ECONNREFUSED || failed == ENOENT) {
    return {};
  }
  if (failed == 0 || failed == EAGAIN) {
    return error(errc::io, std::generic_category().message(EADDRINUSE));
  }
  return error(errc::io,
               path + " exists, and whether it is in use cannot be told: " +
                   std::generic_category().message(failed));
}

std::optional<socket_file> socket_file::at(const std::string& path) {
  struct stat seen {};
  if (::lstat(path.c_str(), &seen) != 0 || !S_ISSOCK(seen.st_mode)) {
    return std::nullopt;
  }
  socket_file found;
  found.path_ = path;
  found.device_ = seen.st_dev;
  found.inode_ = seen.st_ino;
  return found;
}

void socket_file::remove() const noexcept {
  struct stat seen {};
  if (::lstat(path_.c_str(), &seen) == 0 && seen.st_dev == device_ && seen.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

}  // namespace mailroom::transports::zmq
