#include <mailroom/framework/directory/membership.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace mailroom::directory {

membership::membership(executors::event_loop& loop,
                       platform& host,
                       const wire::identity& self,
                       hooks tell)
    : host_(host), self_(self), hooks_(std::move(tell)), alarm_(loop, [this] { on_alarm(); }) {}

membership::~membership() = default;

void membership::add(std::unique_ptr<source> directory) {
  directories_.push_back(std::move(directory));
}

void membership::call(const key& what) {
  if (!called_.emplace(what, true).second) {
    return;
  }
  for (const auto& each : directories_) {
    each->watch(what);
  }
  look();
}

void membership::settled(const std::string& address) {
  if (const auto at = found_.find(address); at != found_.end() && !at->second.settled) {
    at->second.settled = true;
    tell_awaited();
  }
}

void membership::publish(const registration& self, std::function<void()> told) {
  if (directories_.empty()) {
    told();
    return;
  }
  const auto left = std::make_shared<std::size_t>(directories_.size());
  for (const auto& each : directories_) {
    each->publish(self, [left, told] {
      if (--*left == 0) {
        told();
      }
    });
  }
}

void membership::close(const farewell& last) noexcept {
  alarm_.off();
  for (const auto& each : directories_) {
    each->close(last);
  }
}

void membership::on_news(source& from, const news& what) {
  view_.tell(from.name(), what, host_.now());
}

void membership::on_changed(source&) {
  tell_unreachable();
  look();
}

void membership::on_alarm() {
  view_.expire(host_.now());
  look();
}

void membership::look() {
  compare();
  tell_awaited();
  const time_point now = host_.now();
  time_point next = view_.next_end();
  for (const auto& each : directories_) {
    if (each->settled_at() > now) {
      next = std::min(next, each->settled_at());
    }
  }
  if (next != time_point::max()) {
    alarm_.set(next);
  }
}

// What the view says now, and what was made of it before.
void membership::compare() {
  const auto& there = view_.all();
  const auto serves = [this](const registration& node) {
    return node.incarnation != self_ && !node.draining && !node.topics.empty();
  };
  std::vector<std::string> gone;
  for (const auto& [address, each] : found_) {
    const auto at = there.find(address);
    if (at == there.end() || !serves(at->second)) {
      gone.push_back(address);
    }
  }
  for (const auto& address : gone) {
    found_.erase(address);
    hooks_.gone(address);
  }
  for (const auto& [address, each] : there) {
    if (!serves(each)) {
      continue;
    }
    const auto [at, is_new] = found_.try_emplace(address, known{each});
    if (is_new || at->second.what != each) {
      at->second.what = each;
      hooks_.found(each);
    }
  }
}

bool membership::is_awaited(const key& what, time_point now) const {
  bool is_served = false;
  for (const auto& [address, each] : found_) {
    if (std::binary_search(each.what.topics.begin(), each.what.topics.end(), what)) {
      if (!each.settled) {
        return true;
      }
      is_served = true;
    }
  }
  return std::any_of(directories_.begin(), directories_.end(), [&](const auto& each) {
    switch (each->reached()) {
      case source::state::trying: return true;
      case source::state::unreached: return false;
      case source::state::reached:
        return !each->has_told(what) || (!is_served && each->settled_at() > now);
    }
    return false;
  });
}

void membership::tell_awaited() {
  const time_point now = host_.now();
  for (auto& [what, told] : called_) {
    if (const bool is = is_awaited(what, now); is != told) {
      told = is;
      hooks_.awaited(what, is);
    }
  }
}

void membership::tell_unreachable() {
  std::string why;
  for (const auto& each : directories_) {
    if (each->reached() != source::state::unreached) {
      why.clear();
      break;
    }
    why += (why.empty() ? "" : "; ") + each->why();
  }
  if (why != without_) {
    without_ = why;
    hooks_.without(why);
  }
}

}  // namespace mailroom::directory
