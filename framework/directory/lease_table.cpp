#include <mailroom/framework/directory/lease_table.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace mailroom::directory {
namespace {

std::uint64_t milliseconds(duration length) noexcept {
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(length).count();
  return whole < 0 ? 0 : static_cast<std::uint64_t>(whole);
}

std::vector<key> common(const std::vector<key>& a, const std::vector<key>& b) {
  std::vector<key> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

std::vector<key> united(const std::vector<key>& a, const std::vector<key>& b) {
  std::vector<key> all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

bool meet(const std::vector<key>& a, const std::vector<key>& b) noexcept {
  for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
    if (*left == *right) {
      return true;
    }
    *left < *right ? ++left : ++right;
  }
  return false;
}

}  // namespace

lease_table::lease_table(const wire::identity& epoch, time_point now, const options& with)
    : epoch_(epoch), began_(now), options_(with), looked_(now) {}

time_point lease_table::end_of(time_point renewed) const noexcept {
  return renewed + options_.periods * options_.period;
}

void lease_table::touch(const std::vector<key>& keys) {
  touched_.insert(keys.begin(), keys.end());
}

std::set<key> lease_table::take_touched() noexcept {
  return std::exchange(touched_, {});
}

lease_table::entry lease_table::enter(registration what, time_point now) {
  auto at = leases_.find(what.address);
  if (at != leases_.end() && at->second.what.incarnation != what.incarnation) {
    if (is_newer(at->second.what, what)) {
      return entry::fenced;
    }
    drop(at, false);
    at = leases_.end();
  }
  if (at == leases_.end()) {
    // A process that is now reached elsewhere is not at two places. (It has not left.)
    if (const auto elsewhere = addresses_.find(what.incarnation); elsewhere != addresses_.end()) {
      drop(leases_.find(elsewhere->second), true);
    }
    if (leases_.size() >= options_.most) {
      return entry::full;
    }
    at = leases_.emplace(what.address, lease{}).first;
    at->second.entered = now;
    addresses_.emplace(what.incarnation, what.address);
  }
  lease& held = at->second;
  held.renewed = now;
  held.ends = end_of(now);
  first_end_ = std::min(first_end_, held.ends);
  if (held.changed != 0 && held.what == what) {
    return entry::accepted;
  }
  for (const auto& each : what.topics) {
    servers_[each].insert(what.address);
  }
  held.ever = united(held.ever, what.topics);
  held.what = std::move(what);
  held.changed = ++revision_;
  touch(held.ever);
  return entry::accepted;
}

bool lease_table::renew(const wire::identity& incarnation, time_point now) {
  const auto at = addresses_.find(incarnation);
  if (at == addresses_.end()) {
    return false;
  }
  lease& held = leases_.find(at->second)->second;
  held.renewed = now;
  held.ends = end_of(now);
  return true;
}

void lease_table::leave(const wire::identity& incarnation) {
  if (const auto at = addresses_.find(incarnation); at != addresses_.end()) {
    drop(leases_.find(at->second), false);
  }
}

lease_table::leases::iterator lease_table::drop(leases::iterator which, bool lapsed) {
  lease& held = which->second;
  for (const auto& each : held.ever) {
    const auto at = servers_.find(each);
    at->second.erase(which->first);
    if (at->second.empty()) {
      servers_.erase(at);
    }
  }
  addresses_.erase(held.what.incarnation);
  touch(held.ever);
  departures_.push_back(
      {++revision_, {which->first, held.what.incarnation, lapsed}, std::move(held.ever)});
  if (departures_.size() > options_.kept_departures) {
    forgotten_ = departures_.front().revision;
    departures_.pop_front();
  }
  return leases_.erase(which);
}

std::vector<registration> lease_table::expire(time_point now) {
  // We did not run (a stopped process, a suspended machine): that is not the nodes' silence.
  const duration late = now - looked_ - options_.period;
  looked_ = now;
  const duration more = late > options_.period ? late : duration(0);
  first_end_ = time_point::max();
  std::vector<registration> ended;
  for (auto at = leases_.begin(); at != leases_.end();) {
    at->second.ends += more;
    if (at->second.ends <= now) {
      ended.push_back(at->second.what);
      at = drop(at, true);
    } else {
      first_end_ = std::min(first_end_, at->second.ends);
      ++at;
    }
  }
  return ended;
}

time_point lease_table::next_look() const noexcept {
  return std::min(first_end_, looked_ + options_.period);
}

bool lease_table::is_complete(const question& asked) const noexcept {
  return asked.epoch != epoch_ || asked.revision < forgotten_ || asked.revision > revision_;
}

bool lease_table::is_urgent(const question& asked) const noexcept {
  return is_complete(asked) || !asked.fresh.empty() || asked.wait_ms == 0;
}

news lease_table::answer(const question& asked, time_point now) const {
  news told;
  told.epoch = epoch_;
  told.revision = revision_;
  told.complete = is_complete(asked);
  // Whoever lost its session to the one before looks for this one once in a period.
  const duration settled = began_ + options_.period * 3 / 2 - now;
  told.settling_ms = static_cast<std::uint32_t>(milliseconds(settled));
  const auto keys = united(asked.keys, asked.fresh);
  if (!told.complete) {
    for (auto at = departures_.rbegin(); at != departures_.rend() && at->revision > asked.revision;
         ++at) {
      if (asked.all || meet(at->keys, keys)) {
        told.left.push_back(at->what);
      }
    }
    std::reverse(told.left.begin(), told.left.end());
  }
  const auto tell = [&](const lease& held) {
    if (!told.complete && held.changed <= asked.revision &&
        (asked.all || !meet(held.ever, asked.fresh))) {
      return;
    }
    auto& joined = told.joined.emplace_back(held.what);
    if (!asked.all) {
      joined.topics = common(held.what.topics, keys);
    }
  };
  if (asked.all) {
    for (const auto& [address, held] : leases_) {
      tell(held);
    }
    return told;
  }
  std::set<std::string> concerned;
  for (const auto& each : keys) {
    if (const auto at = servers_.find(each); at != servers_.end()) {
      concerned.insert(at->second.begin(), at->second.end());
    }
  }
  for (const auto& address : concerned) {
    tell(leases_.find(address)->second);
  }
  return told;
}

const registration* lease_table::find(const std::string& address) const {
  const auto at = leases_.find(address);
  return at == leases_.end() ? nullptr : &at->second.what;
}

listing lease_table::list(time_point now) const {
  listing all;
  all.epoch = epoch_;
  all.age_ms = milliseconds(now - began_);
  for (const auto& [address, held] : leases_) {
    all.nodes.push_back(
        {held.what, milliseconds(now - held.entered), milliseconds(now - held.renewed)});
  }
  return all;
}

}  // namespace mailroom::directory
