#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/directory/lease_table.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>

namespace mailroom::directory {

/// Questions that wait for news of a table, found by the keys that something happens to: what an
/// event costs follows those who asked for it. Used by one thread.
class watch_list {
 public:
  using answer = std::function<void(const news&)>;

  explicit watch_list(const lease_table& of) noexcept : table_(of) {}

  /// Answers at once or later, but once. A watcher has one question: that before it is answered.
  void ask(question asked, time_point now, answer tell);

  /// Answers those that these keys concern, and those that have waited long enough.
  void look(const std::set<key>& touched, time_point now);

  /// When the first of them has waited long enough.
  time_point next_end() const noexcept;

  std::size_t size() const noexcept { return waiting_.size(); }

 private:
  struct parked {
    question asked;
    answer tell;
    time_point until;
  };
  using numbers = std::set<std::uint64_t>;

  parked remove(std::uint64_t number);
  void take(std::uint64_t number, time_point now, bool whatever);

  const lease_table& table_;
  std::map<std::uint64_t, parked> waiting_;
  std::map<wire::identity, std::uint64_t> by_watcher_;
  std::map<key, numbers> by_key_;
  numbers of_all_;
  std::set<std::pair<time_point, std::uint64_t>> ends_;
  std::uint64_t last_ = 0;
  std::uint64_t seen_ = 0;  // The table's revision when it was looked at last.
};

}  // namespace mailroom::directory
