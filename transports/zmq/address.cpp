#include <mailroom/transports/zmq/address.hpp>

#include <boost/asio/ip/address.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
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
  const auto colon = all.rfind(':');
  if (!all.starts_with("tcp://") || colon <= 6 || !is_port(all.substr(colon + 1))) {
    return error(errc::invalid_value, text + ": should read tcp://host:port or ipc://path");
  }
  std::string_view host = all.substr(6, colon - 6);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return error(errc::invalid_value, text + ": an IPv6 address belongs in brackets");
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

error try_path(const std::string& path) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) {
    return error(errc::io, std::generic_category().message(errno));
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
  // A full queue of connections has somebody behind it, too.
  return failed == 0 || failed == EAGAIN ? error(errc::ok)
                                         : error(errc::io, std::generic_category().message(failed));
}

}  // namespace mailroom::transports::zmq
