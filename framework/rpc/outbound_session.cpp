#include <mailroom/framework/rpc/outbound_session.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace mailroom::rpc {
namespace {

struct by_name {
  using name = std::pair<std::string_view, std::string_view>;

  static name of(const wire::topic_home& what) noexcept { return {what.exchange, what.topic}; }
  static name of(const wire::stuck_topic& what) noexcept { return {what.exchange, what.topic}; }
  static name of(const name& what) noexcept { return what; }
  template <class Left, class Right>
  bool operator()(const Left& left, const Right& right) const noexcept {
    return of(left) < of(right);
  }
};

}  // namespace

outbound_session::outbound_session(connector& home,
                                   connector::session_info agreed,
                                   connector::session_watch watch)
    : home_(home),
      agreed_(std::move(agreed)),
      watch_(std::move(watch)),
      number_(++home.last_session_),
      health_(home.health_of(agreed_.address)) {
  assert(!agreed_.data.empty());
  for (std::uint32_t loop = 0; const auto& address : agreed_.data) {
    links_.push_back(std::make_unique<outbound_link>(home_, *this, address, loop++));
  }
  set_topics(std::exchange(agreed_.topics, {}));
}

result<void> outbound_session::dial(transport& over) {
  for (const auto& each : links_) {
    if (auto dialled = each->dial(over); !dialled) {
      return dialled;
    }
  }
  return {};
}

void outbound_session::close(bool flush) noexcept {
  for (const auto& each : links_) {
    // One that the peer has not taken up carries nothing that is worth waiting for.
    each->close(flush && each->ready());
  }
}

bool outbound_session::ready() const noexcept {
  return std::all_of(links_.begin(), links_.end(), [](const auto& each) { return each->ready(); });
}

const wire::topic_home* outbound_session::find(
    std::pair<std::string_view, std::string_view> name) const noexcept {
  const auto found =
      std::lower_bound(agreed_.topics.begin(), agreed_.topics.end(), name, by_name{});
  return found == agreed_.topics.end() || by_name::of(*found) != name ? nullptr : &*found;
}

outbound_link* outbound_session::link_to(std::string_view exchange,
                                         std::string_view topic) noexcept {
  const auto* at = find({exchange, topic});
  if (at == nullptr || ending_) {
    return nullptr;
  }
  outbound_link* const by = links_[index_of(*at)].get();
  return by->ready() ? by : nullptr;
}

// Any loop serves any topic, only not as well.
std::size_t outbound_session::index_of(const wire::topic_home& topic) const noexcept {
  return topic.loop < links_.size() ? topic.loop : 0;
}

bool outbound_session::is_stuck(std::string_view exchange, std::string_view topic) const noexcept {
  if (ending_ || (stuck_.loops.empty() && stuck_.topics.empty())) {
    return false;
  }
  const auto* at = find({exchange, topic});
  return at != nullptr &&
         (std::count(stuck_.loops.begin(), stuck_.loops.end(), index_of(*at)) != 0 ||
          std::binary_search(
              stuck_.topics.begin(), stuck_.topics.end(), by_name::of(*at), by_name{}));
}

void outbound_session::set_stuck(wire::stuck what) {
  stuck_ = std::move(what);
  std::sort(stuck_.topics.begin(), stuck_.topics.end(), by_name{});
}

void outbound_session::set_topics(std::vector<wire::topic_home> next) {
  // Ours tell them in order.
  if (!std::is_sorted(next.begin(), next.end(), by_name{})) {
    std::sort(next.begin(), next.end(), by_name{});
  }
  std::set<std::size_t> left;
  std::set<std::size_t> entered;
  said_.clear();
  for (std::size_t i = 0; i != next.size(); ++i) {
    const auto* now = find(by_name::of(next[i]));
    if (now == nullptr || index_of(*now) == index_of(next[i])) {
      continue;
    }
    const std::size_t from = index_of(*now);
    const std::size_t to = index_of(next[i]);
    if (!fences_.empty() || !links_[to]->ready()) {
      if (said_.empty()) {
        said_ = next;
      }
      next[i].loop = now->loop;
    } else if (links_[from]->ready()) {
      left.insert(from);
      entered.insert(to);
    }
  }
  agreed_.topics = std::move(next);
  // All fences leave before anything is held: one may be on a link that is.
  for (const std::size_t each : left) {
    ask_for_fence(*links_[each]);
  }
  for (const std::size_t each : entered) {
    links_[each]->hold();
    held_.insert(each);
  }
}

void outbound_session::ask_for_fence(outbound_link& of) {
  fences_.emplace(++last_fence_, &of);
  of.fence(last_fence_);
}

void outbound_session::attached() {
  catch_up();
  home_.servers_changed();
  if (ready() && watch_) {
    watch_(agreed_.address, nullptr);
  }
}

void outbound_session::fenced(std::span<const std::uint64_t> numbers) {
  std::size_t answered = 0;
  for (const std::uint64_t each : numbers) {
    answered += fences_.erase(each);
  }
  if (answered == 0 || !fences_.empty()) {
    return;
  }
  if (ending_) {
    home_.ended(*this, *ending_);
    return;
  }
  for (const std::size_t each : std::exchange(held_, {})) {
    links_[each]->release();
  }
  catch_up();
  home_.servers_changed();
}

void outbound_session::lost(outbound_link& ended, const error& why) {
  ended.close(false);
  std::erase_if(fences_, [&](const auto& each) { return each.second == &ended; });
  if (!ending_) {
    ending_ = why;
    for (const auto& each : links_) {
      if (each->ready()) {
        each->release();
        ask_for_fence(*each);
      }
    }
  }
  home_.ended(ended, why);
  if (fences_.empty()) {
    home_.ended(*this, *ending_);
  }
}

bool outbound_session::is_idle() const noexcept {
  return std::all_of(
      links_.begin(), links_.end(), [](const auto& each) { return each->in_flight() == 0; });
}

void outbound_session::leave() {
  set_topics({});
  for (const auto& each : links_) {
    each->leave();
  }
  emptied();
}

// Later: one of the links may be reading the last answer.
void outbound_session::emptied() const {
  if (is_idle()) {
    home_.loop().post([&home = home_, address = agreed_.address, number = number_] {
      home.left(address, number);
    });
  }
}

void outbound_session::catch_up() {
  if (!said_.empty()) {
    set_topics(std::exchange(said_, {}));
  }
}

}  // namespace mailroom::rpc
