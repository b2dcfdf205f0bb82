#include <mailroom/services/host/addresses.hpp>

#include <mailroom/transports/zmq/address.hpp>

#include <string_view>

namespace mailroom {
namespace {

constexpr std::string_view local = "local://";

error wrong_address(const std::string& text, const std::string& why) {
  return error(errc::invalid_value, "'" + text + "': " + why);
}

}  // namespace

result<void> check_listen_address(const std::string& text) {
  if (text.starts_with(local) && text.size() > local.size()) {
    return {};
  }
  if (!text.starts_with("tcp://") && !text.starts_with("ipc://")) {
    return wrong_address(text, "write tcp://HOST:PORT, ipc://PATH or local://NAME");
  }
  const auto read = transports::zmq::address::parse(text);
  return read ? result<void>() : read.error();
}

result<void> check_connect_address(const std::string& text) {
  if (auto good = check_listen_address(text); !good) {
    return good;
  }
  if (text.starts_with(local)) {
    return text == "local://*" ? wrong_address(text, "a name to listen at, not to connect to")
                               : result<void>();
  }
  const auto read = transports::zmq::address::parse(text);
  const bool is_open =
      read->is_tcp() ? read->host == "*" || std::stoi(read->port) == 0 : read->path == "*";
  return is_open ? wrong_address(text, "an address to listen at, not to connect to")
                 : result<void>();
}

}  // namespace mailroom
