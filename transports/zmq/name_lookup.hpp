#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/event_loop.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::transports::zmq {

/// Looks a host's name up on a thread of its own. The system may take many seconds for one that
/// nobody answers for; neither other names nor the end of the process wait for that. On the loop's
/// thread.
class name_lookup final {
 public:
  /// The numeric addresses, or why there are none. Called on the loop's thread, once, unless the
  /// lookup has been destroyed before.
  using told = std::function<void(const std::string& why, std::vector<std::string> addresses)>;

  name_lookup(platform& host,
              executors::event_loop& on,
              const std::string& name,
              const std::string& port,
              told tell);
  ~name_lookup();
  name_lookup(const name_lookup&) = delete;
  name_lookup& operator=(const name_lookup&) = delete;

 private:
  struct shared;

  std::shared_ptr<shared> shared_;
};

}  // namespace mailroom::transports::zmq
