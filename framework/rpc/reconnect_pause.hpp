#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace mailroom::rpc {

/// When to connect to a peer again: after a pause that grows with each failure, is shorter by
/// chance so that many do not come together, and from some attempts in a `window` on is as long as
/// the rest of the window, or as the longest: ten connections in any window then for pauses of half
/// of it, those of the data plane included where sessions broke. Who asks for a shorter longest one
/// is promised to be back within that. Pure, one thread at a time.
class reconnect_pause {
 public:
  static constexpr std::size_t most_connections = 10;
  static constexpr duration window = std::chrono::seconds(10);
  /// For each client that a server had, those that lose it wait up to so long.
  static constexpr duration for_each_peer = std::chrono::milliseconds(10);

  reconnect_pause(duration first, duration longest) noexcept
      : first_(first), longest_(longest), next_(first) {}

  /// When an attempt may begin, if nothing else is against it.
  time_point allowed(time_point now) const noexcept {
    const std::size_t most = most_at_once();
    if (attempts_.size() < most) {
      return now;
    }
    const time_point room = attempts_[attempts_.size() - most] + window;
    return room <= now ? now : std::min(room, now + longest_);
  }

  /// An attempt begins.
  void attempt(time_point now) { note(now, 1); }
  /// It has got so far that its data links are dialled, too. They count if the session breaks:
  /// where sessions end in good order, as when servers are restarted, who waits longer serves
  /// nobody.
  void attempt_data(time_point now, std::size_t links) noexcept {
    data_at_ = now;
    data_links_ = links;
  }
  /// It has led to a session.
  void connected(time_point now) noexcept { connected_ = now; }

  /// The attempt, or the session that it led to, has ended: when to begin the next. The session
  /// ended in good order, or not; the server had so many clients; `dice` is a random number from 0
  /// to 1.
  time_point again(time_point now, bool orderly, std::uint32_t peers, double dice) noexcept {
    if (data_links_ != 0) {
      broken_links_ = orderly ? 0 : data_links_;
      note(data_at_, broken_links_);
      data_links_ = 0;
    }
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
  // So many that, with two more sessions after the longest pause, there are no more than ten; eight
  // of those that get no answer, since one may begin on either edge of the window.
  std::size_t most_at_once() const noexcept {
    const std::size_t of_two = 2 * (1 + broken_links_);
    return broken_links_ == 0           ? most_connections - of_two
           : of_two >= most_connections ? 1
                                        : most_connections - of_two + 1;
  }
  void note(time_point at, std::size_t connections) {
    for (std::size_t i = 0; i < std::min(connections, most_connections); ++i) {
      attempts_.push_back(at);
      if (attempts_.size() > most_connections) {
        attempts_.pop_front();
      }
    }
  }

  static duration share_of(duration whole, double share) noexcept {
    return duration(static_cast<duration::rep>(static_cast<double>(whole.count()) * share));
  }

  const duration first_;
  const duration longest_;
  duration next_;
  time_point connected_ = time_point::min();
  std::deque<time_point> attempts_;  // The last connections, oldest first.
  time_point data_at_;               // Of the session that is up,
  std::size_t data_links_ = 0;       // and how many;
  std::size_t broken_links_ = 1;     // of the last session, if it broke; before the first a guess.
};

}  // namespace mailroom::rpc
