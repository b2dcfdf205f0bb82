#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <cstdint>
#include <optional>

namespace mailroom::wire {

/// How our clock stands to a peer's, from exchanges such as ping and pong (RFC 5905, clock filter):
/// the exchange with the smallest round trip tells the offset best, and half of that round trip is
/// how wrong it can be. That bound grows with time, because clocks drift; so a fresh exchange takes
/// over when it knows better. Pure, one thread at a time.
class clock_estimate {
 public:
  /// How fast two clocks may drift apart. The kernel slews a clock by at most 500 ppm, crystals do
  /// far less.
  static constexpr std::int64_t drift_per_million = 200;

  /// One exchange: when it left and came back (our clock), when the peer received and answered it
  /// (the peer's), ns. False if it is impossible (it came back before it left) and was ignored.
  bool feed(std::int64_t sent,
            std::int64_t peer_received,
            std::int64_t peer_sent,
            std::int64_t received) noexcept;

  /// peer = ours + offset, give or take error, at `now` of our clock. Nothing before the first
  /// exchange.
  std::optional<clock_relation> at(std::int64_t now) const noexcept;

 private:
  std::optional<clock_relation> best_;
  std::int64_t taken_ = 0;  // When, by our clock.
};

/// A point on the sender's clock as a point on the receiver's, late enough for the uncertainty to
/// be in the caller's favour. Saturates; `call_head::no_deadline` stays what it is.
std::int64_t receiver_deadline(std::int64_t deadline, const clock_relation& clocks) noexcept;

}  // namespace mailroom::wire
