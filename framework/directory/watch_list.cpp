#include <mailroom/framework/directory/watch_list.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::directory {
namespace {

constexpr std::chrono::milliseconds longest_parked = std::chrono::minutes(1);

}  // namespace

void watch_list::ask(question asked, time_point now, answer tell) {
  if (const auto before = by_watcher_.find(asked.watcher); before != by_watcher_.end()) {
    const parked replaced = remove(before->second);
    news nothing;
    nothing.epoch = replaced.asked.epoch;
    nothing.revision = replaced.asked.revision;
    replaced.tell(nothing);
  }
  const auto told = table_.answer(asked, now);
  if (!told.is_empty() || table_.is_urgent(asked)) {
    tell(told);
    return;
  }
  const std::uint64_t number = ++last_;
  if (asked.watcher != wire::identity{}) {
    by_watcher_.emplace(asked.watcher, number);
  }
  if (asked.all) {
    of_all_.insert(number);
  } else {
    for (const auto& each : asked.keys) {
      by_key_[each].insert(number);
    }
  }
  const auto until = now + std::min(std::chrono::milliseconds(asked.wait_ms), longest_parked);
  ends_.emplace(until, number);
  waiting_.emplace(number, parked{std::move(asked), std::move(tell), until});
}

void watch_list::look(const std::set<key>& touched, time_point now) {
  numbers concerned;
  for (const auto& each : touched) {
    if (const auto at = by_key_.find(each); at != by_key_.end()) {
      concerned.insert(at->second.begin(), at->second.end());
    }
  }
  // A node may come and go without serving anything.
  if (std::exchange(seen_, table_.revision()) != table_.revision()) {
    concerned.insert(of_all_.begin(), of_all_.end());
  }
  for (const std::uint64_t each : concerned) {
    take(each, now, false);
  }
  while (!ends_.empty() && ends_.begin()->first <= now) {
    take(ends_.begin()->second, now, true);
  }
}

time_point watch_list::next_end() const noexcept {
  return ends_.empty() ? time_point::max() : ends_.begin()->first;
}

watch_list::parked watch_list::remove(std::uint64_t number) {
  const auto at = waiting_.find(number);
  parked removed = std::move(at->second);
  waiting_.erase(at);
  ends_.erase({removed.until, number});
  by_watcher_.erase(removed.asked.watcher);
  of_all_.erase(number);
  for (const auto& each : removed.asked.keys) {
    if (const auto found = by_key_.find(each); found != by_key_.end()) {
      found->second.erase(number);
      if (found->second.empty()) {
        by_key_.erase(found);
      }
    }
  }
  return removed;
}

// Answered if there is something to tell, or whatever there is.
void watch_list::take(std::uint64_t number, time_point now, bool whatever) {
  const auto told = table_.answer(waiting_.at(number).asked, now);
  if (whatever || !told.is_empty()) {
    remove(number).tell(told);
  }
}

}  // namespace mailroom::directory
