#include <mailroom/framework/wire/clock_estimate.hpp>

#include <algorithm>

namespace mailroom::wire {
namespace {

// No clock gets here (73 years after its start); within, four of them can be added without
// overflow.
constexpr std::int64_t farthest = INT64_MAX / 4;

bool possible(std::int64_t time) noexcept {
  return time >= -farthest && time <= farthest;
}

std::int64_t add(std::int64_t a, std::int64_t b) noexcept {
  if (b > 0 && a > INT64_MAX - b) {
    return INT64_MAX;
  }
  if (b < 0 && a < INT64_MIN - b) {
    return INT64_MIN;
  }
  return a + b;
}

}  // namespace

bool clock_estimate::feed(std::int64_t sent,
                          std::int64_t peer_received,
                          std::int64_t peer_sent,
                          std::int64_t received) noexcept {
  if (!possible(sent) || !possible(peer_received) || !possible(peer_sent) || !possible(received)) {
    return false;
  }
  const std::int64_t round_trip = (received - sent) - (peer_sent - peer_received);
  if (peer_sent < peer_received || received < sent || round_trip < 0) {
    return false;
  }
  const clock_relation fresh{(peer_received - sent + (peer_sent - received)) / 2,
                             round_trip / 2 + round_trip % 2};
  if (const auto old = at(received); !old || fresh.error <= old->error) {
    best_ = fresh;
    taken_ = received;
  }
  return true;
}

std::optional<clock_relation> clock_estimate::at(std::int64_t now) const noexcept {
  if (!best_) {
    return std::nullopt;
  }
  const std::int64_t age = possible(now) ? std::max<std::int64_t>(0, now - taken_) : 0;
  return clock_relation{best_->offset, add(best_->error, age / 1'000'000 * drift_per_million)};
}

std::int64_t receiver_deadline(std::int64_t deadline, const clock_relation& clocks) noexcept {
  if (deadline == call_head::no_deadline) {
    return deadline;
  }
  return add(add(deadline, clocks.offset), clocks.error);
}

}  // namespace mailroom::wire
