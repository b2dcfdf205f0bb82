#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace mailroom::rpc {

/// When to connect to a peer again: after a pause that grows with each failure, is shorter by
/// chance so that many do not come together, and from `most_attempts` in a `window` on is as long
/// as the rest of the window, or as the longest: ten in any window then for pauses of half of it.
/// Who asks for a shorter longest one is promised to be back within that. Pure, one thread at a
/// time.
class reconnect_pause {
 public:
  static constexpr std::size_t most_attempts = 8;
  static constexpr duration window = std::chrono::seconds(10);
  /// For each client that a server had, those that lose it wait up to so long.
  static constexpr duration for_each_peer = std::chrono::milliseconds(10);

  reconnect_pause(duration first, duration longest) noexcept
      : first_(first), longest_(longest), next_(first) {}

  /// When an attempt may begin, if nothing else is against it.
  time_point allowed(time_point now) const noexcept {
    return attempts_.size() < most_attempts ? now
                                            : std::min(attempts_.front() + window, now + longest_);
  }

  /// An attempt begins.
  void attempt(time_point now) {
    attempts_.push_back(now);
    if (attempts_.size() > most_attempts) {
      attempts_.pop_front();
    }
  }
  /// It has led to a session.
  void connected(time_point now) noexcept { connected_ = now; }

  /// The attempt, or the session that it led to, has ended: when to begin the next. The session
  /// ended in good order, or not; the server had so many clients; `dice` is a random number from 0
  /// to 1.
  time_point again(time_point now, bool orderly, std::uint32_t peers, double dice) noexcept {
    duration herd{0};
    if (connected_ != time_point::min()) {
      // What comes up only to go down again fails, too.
      if (orderly || now - connected_ >= 2 * longest_) {
        next_ = first_;
      }
      connected_ = time_point::min();
      herd = std::min<duration>(peers * for_each_peer, longest_);
    }
    const duration pause = share_of(next_, 0.5 + dice / 2) + share_of(herd, dice);
    next_ = std::min(next_ * 2, longest_);
    return std::max(now + pause, allowed(now));
  }

 private:
  static duration share_of(duration whole, double share) noexcept {
    return duration(static_cast<duration::rep>(static_cast<double>(whole.count()) * share));
  }

  const duration first_;
  const duration longest_;
  duration next_;
  time_point connected_ = time_point::min();
  std::deque<time_point> attempts_;  // The last ones.
};

}  // namespace mailroom::rpc
