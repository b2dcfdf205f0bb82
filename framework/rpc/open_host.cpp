#include <mailroom/framework/rpc/open_host.hpp>

#include <string_view>

namespace mailroom::rpc {

std::string with_host_of(const std::string& reached, std::string told) {
  constexpr std::string_view tcp = "tcp://";
  const auto port = told.rfind(':');
  if (told.compare(0, tcp.size(), tcp) != 0 || reached.compare(0, tcp.size(), tcp) != 0 ||
      port < tcp.size()) {
    return told;
  }
  const std::string host = told.substr(tcp.size(), port - tcp.size());
  if (host != "0.0.0.0" && host != "*" && host != "[::]") {
    return told;
  }
  return reached.substr(0, reached.rfind(':')) + told.substr(port);
}

}  // namespace mailroom::rpc
