#include <mailroom/transports/zmq/reasons.hpp>

namespace mailroom::transports::zmq {

std::optional<std::string> reasons::recall(const std::string& peer, time_point now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&](const auto& each) { return each.second.until <= now; });
  const auto found = known_.find(peer);
  return found == known_.end() ? std::nullopt : std::optional(found->second.why);
}

void reasons::remember(const std::string& peer, const std::string& why, time_point now) {
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(peer, known{why, now + valid_for});
}

}  // namespace mailroom::transports::zmq
