#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace mailroom::transports::zmq {

/// Why nobody answered at an address, as the system said. libzmq does not tell, and asking the
/// system is a connection attempt more: what it said holds for a while, so that a server that is
/// away is not tried twice as often as its callers mean to.
/// @threadsafe
class reasons {
 public:
  static constexpr duration valid_for = std::chrono::seconds(10);

  /// Nothing if it was not asked lately.
  std::optional<std::string> recall(const std::string& peer, time_point now);
  void remember(const std::string& peer, const std::string& why, time_point now);

 private:
  struct known {
    std::string why;
    time_point until;
  };

  std::mutex mutex_;
  std::map<std::string, known> known_;  // Guarded by mutex_.
};

}  // namespace mailroom::transports::zmq
