#include <mailroom/framework/directory/view.hpp>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace mailroom::directory {
namespace {

constexpr std::size_t most_left = 4096;

// Whether others than those on the same machine, or network, can reach it there.
bool is_far_reaching(std::string_view address) {
  constexpr std::string_view near[] = {"127.", "localhost:", "[::1]", "169.254.", "[fe80:"};
  constexpr std::string_view tcp = "tcp://";
  if (!address.starts_with(tcp)) {
    return false;
  }
  const auto rest = address.substr(tcp.size());
  return std::none_of(std::begin(near), std::end(near), [&](std::string_view each) {
    return rest.starts_with(each);
  });
}

// Of two addresses of a process that which leads there from more places; of two alike always the
// same.
bool leads_farther(std::string_view one, std::string_view other) {
  return std::pair(!is_far_reaching(one), one) < std::pair(!is_far_reaching(other), other);
}

// Two words about one process.
void unite(registration& into, const registration& also) {
  std::vector<key> all;
  std::set_union(into.topics.begin(),
                 into.topics.end(),
                 also.topics.begin(),
                 also.topics.end(),
                 std::back_inserter(all));
  into.topics = std::move(all);
  into.draining = into.draining || also.draining;  // It does not take that back.
}

}  // namespace

void view::tell(const std::string& directory, const news& what, time_point now) {
  told& of = told_[directory];
  for (const auto& each : what.left) {
    const auto at = of.find(each.address);
    if (at != of.end() && at->second.what.incarnation == each.incarnation) {
      of.erase(at);
    }
    if (!each.lapsed) {
      leaves(each.incarnation, directory);
    }
  }
  std::set<std::string_view> named;
  for (const auto& each : what.joined) {
    named.insert(each.address);
    comes_back(each.incarnation, directory);
    of.insert_or_assign(each.address, known{each});
  }
  if (what.complete) {
    const time_point settled = now + std::chrono::milliseconds(what.settling_ms);
    for (auto& [address, each] : of) {
      if (!named.contains(address)) {
        each.until = std::min(each.until, settled);
      }
    }
  }
  if (!expire(now)) {
    merge();
  }
}

void view::forget(const std::string& directory) {
  told_.erase(directory);
  merge();
}

void view::leaves(const wire::identity& incarnation, const std::string& directory) {
  const auto [at, is_new] = left_.try_emplace(incarnation);
  at->second.insert(directory);
  if (is_new) {
    left_in_order_.push_back(incarnation);
  }
  if (left_in_order_.size() > most_left) {
    left_.erase(left_in_order_.front());
    left_in_order_.pop_front();
  }
}

// Somebody said in its name that it leaves, or took its place for a while.
void view::comes_back(const wire::identity& incarnation, const std::string& directory) {
  const auto at = left_.find(incarnation);
  if (at != left_.end() && at->second.erase(directory) != 0 && at->second.empty()) {
    left_.erase(at);
    std::erase(left_in_order_, incarnation);
  }
}

bool view::expire(time_point now) {
  std::size_t ended = 0;
  for (auto& [directory, of] : told_) {
    ended += std::erase_if(of, [now](const auto& each) { return each.second.until <= now; });
  }
  if (ended == 0) {
    return false;
  }
  merge();
  return true;
}

time_point view::next_end() const noexcept {
  time_point next = time_point::max();
  for (const auto& [directory, of] : told_) {
    for (const auto& [address, each] : of) {
      next = std::min(next, each.until);
    }
  }
  return next;
}

void view::merge() {
  // One process may be told under several addresses, if it listens at several interfaces.
  // (One that is configured has no incarnation.)
  std::map<std::pair<wire::identity, std::string>, registration> processes;
  for (const auto& [directory, of] : told_) {
    for (const auto& [address, each] : of) {
      const auto& incarnation = each.what.incarnation;
      if (left_.contains(incarnation)) {
        continue;
      }
      const auto [at, is_new] = processes.try_emplace(
          {incarnation, incarnation == wire::identity{} ? address : std::string()}, each.what);
      if (!is_new) {
        unite(at->second, each.what);
        if (leads_farther(address, at->second.address)) {
          at->second.address = address;
        }
      }
    }
  }
  merged_.clear();
  for (auto& [process, each] : processes) {
    const auto [at, is_new] = merged_.try_emplace(each.address, each);
    if (is_new) {
      continue;
    }
    if (is_newer(each, at->second)) {
      std::swap(each, at->second);
    }
    if (each.incarnation == wire::identity{}) {
      unite(at->second, each);
    }
  }
}

}  // namespace mailroom::directory
