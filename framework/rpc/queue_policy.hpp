#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mailroom {

/// What an endpoint does with calls over its `queue_limit`. Who has to go has not run, and is
/// answered at once with `errc::busy` and when to try again; of a cast, which is answered nothing,
/// the loss is counted (`describe`). Calls that have expired go first.
enum class queue_policy : std::uint8_t {
  refuse_newest,  ///< What waits keeps its place.
  drop_oldest,    ///< The longer a call has waited the less it is worth: newcomers take the places
                  ///< of the oldest.
  by_priority,    ///< Calls start by priority (`call_options::priority`), first in first out within
                  ///< one; the less urgent wait as long as more urgent ones come. The newest of the
                  ///< least priority go, so that an urgent newcomer displaces a less urgent call.
};

inline constexpr std::array queue_policies{
    queue_policy::refuse_newest, queue_policy::drop_oldest, queue_policy::by_priority};

constexpr std::string_view to_string(queue_policy policy) noexcept {
  switch (policy) {
    case queue_policy::refuse_newest: return "refuse_newest";
    case queue_policy::drop_oldest: return "drop_oldest";
    case queue_policy::by_priority: return "by_priority";
  }
  return "unknown";
}

/// The policy that is called so, if there is one.
constexpr std::optional<queue_policy> queue_policy_from(std::string_view name) noexcept {
  for (const auto each : queue_policies) {
    if (to_string(each) == name) {
      return each;
    }
  }
  return std::nullopt;
}

}  // namespace mailroom
