#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/directory/messages.hpp>
#include <mailroom/framework/directory/registration.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>

namespace mailroom::directory {

/// Who is no longer there, and what it said last: what became of its messages. Without that nobody
/// could tell, after a node was drained, whether all that was sent to it was dealt with. Is told
/// the time; used by one thread.
class departed_nodes {
 public:
  /// So many are known one by one; of those before only the sum.
  static constexpr std::size_t most = 1024;

  /// It has left in good order. A client that had nothing to count is not worth a line.
  void left(farewell last, time_point now);
  /// It is gone, and has not said good-bye.
  void lapsed(const registration& whose, time_point now);
  /// It was only silent.
  void returned(const wire::identity& incarnation);

  departures list(time_point now) const;

 private:
  struct entry {
    farewell last;
    bool lapsed = false;
    time_point since;
  };

  void add(entry which);

  std::deque<entry> nodes_;  // The newest last.
  earlier_departures earlier_;
};

}  // namespace mailroom::directory
