#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom::log {

/// Counts lines by group: no interval of `window` sees more than `lines` of one group. Remembers
/// `groups` of them at most; when all are active, newcomers share one more. Pure: time is given.
/// One thread at a time.
class line_limiter {
 public:
  line_limiter(std::size_t lines, duration window, std::size_t groups)
      : lines_(lines), groups_(groups), window_(window) {}

  /// Whether a line of `group` may be written now: how many were refused since the last one that
  /// was; otherwise nothing, and it is counted.
  std::optional<std::uint64_t> admit(std::string_view group, time_point now);

  /// Groups with refused lines that no later line has told of, and how many: those that may write
  /// a line now, or `all`. They count as told, in a line of theirs. The group of the newcomers that
  /// share one is "".
  std::vector<std::pair<std::string, std::uint64_t>> take_untold(time_point now, bool all = false);

  /// Whether `take_untold` has something to tell, now or later.
  bool has_untold() const noexcept { return untold_ != 0; }

  /// Lines refused since the beginning.
  std::uint64_t refused() const noexcept { return refused_; }

  std::size_t size() const noexcept { return active_.size(); }

 private:
  struct history {
    std::deque<time_point> written;  // Those within the window, oldest first.
    std::uint64_t suppressed = 0;
  };

  history& find(std::string_view group, time_point now);
  bool is_full(history& of, time_point now) const;
  std::uint64_t tell(history& of, time_point now);
  bool quiet(const history& of, time_point now) const;
  void forget_quiet(time_point now);

  std::size_t lines_;
  std::size_t groups_;
  duration window_;
  time_point swept_ = time_point::min();
  std::map<std::string, history, std::less<>> active_;
  history others_;
  std::uint64_t untold_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace mailroom::log
