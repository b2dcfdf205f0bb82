#pragma once

#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <array>
#include <cstdint>

namespace mailroom::rpc {

/// Waiting calls kept apart by priority (`queue_policy::by_priority`). The most urgent of them lie
/// in the activation's own queue, from which it starts as from any other; the rest lies here. Used
/// on turns.
class call_lanes {
 public:
  /// Puts each call of `more` behind those of its priority.
  void add(batch_list& queue, call_batch& more);

  /// The queue has run dry: the most urgent of the rest come into it.
  void refill(batch_list& queue) noexcept;

  batch_list& of(batch_list& queue, std::uint8_t priority) noexcept {
    return priority == present_ ? queue : rest_[priority];
  }

 private:
  void put(batch_list& queue, call_batch& more, std::uint8_t priority) noexcept;

  std::array<batch_list, wire::highest_priority + 1> rest_;  // Empty from present_ on.
  std::uint8_t present_ = 0;                                 // What lies in the queue.
};

}  // namespace mailroom::rpc
