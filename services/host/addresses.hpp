#pragma once

#include <mailroom/framework/base/result.hpp>

#include <string>

namespace mailroom {

/// Whether a node can listen at `text`: tcp://HOST:PORT, ipc://PATH or local://NAME, where the host
/// `*` is every interface and the system chooses port 0 and the path or name `*`. Looks at the text
/// only. `errc::invalid_value` with what would be right. @threadsafe
result<void> check_listen_address(const std::string& text);

/// Whether a node can connect to it: the same, with nothing left to choose.
result<void> check_connect_address(const std::string& text);

}  // namespace mailroom
