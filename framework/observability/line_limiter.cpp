#include <mailroom/framework/observability/line_limiter.hpp>

#include <utility>

namespace mailroom::log {

std::optional<std::uint64_t> line_limiter::admit(std::string_view group, time_point now) {
  history& past = find(group, now);
  if (is_full(past, now)) {
    ++past.suppressed;
    ++untold_;
    ++refused_;
    return std::nullopt;
  }
  return tell(past, now);
}

std::vector<std::pair<std::string, std::uint64_t>> line_limiter::take_untold(time_point now,
                                                                             bool all) {
  std::vector<std::pair<std::string, std::uint64_t>> taken;
  const auto take = [&](const std::string& group, history& past) {
    if (past.suppressed != 0 && (all || !is_full(past, now))) {
      taken.emplace_back(group, tell(past, now));
    }
  };
  if (untold_ != 0) {
    for (auto& [group, past] : active_) {
      take(group, past);
    }
    take({}, others_);
  }
  return taken;
}

bool line_limiter::is_full(history& of, time_point now) const {
  while (!of.written.empty() && now - of.written.front() >= window_) {
    of.written.pop_front();
  }
  return of.written.size() >= lines_;
}

std::uint64_t line_limiter::tell(history& of, time_point now) {
  of.written.push_back(now);
  untold_ -= of.suppressed;
  return std::exchange(of.suppressed, 0);
}

line_limiter::history& line_limiter::find(std::string_view group, time_point now) {
  constexpr std::size_t longest_name = 256;
  group = group.substr(0, longest_name);
  if (const auto found = active_.find(group); found != active_.end()) {
    return found->second;
  }
  // Once a window is often enough: nobody falls quiet sooner.
  if (active_.size() >= groups_ && (swept_ == time_point::min() || now - swept_ >= window_)) {
    forget_quiet(now);
    swept_ = now;
  }
  return active_.size() < groups_ ? active_[std::string(group)] : others_;
}

bool line_limiter::quiet(const history& of, time_point now) const {
  return of.written.empty() || now - of.written.back() >= window_;
}

void line_limiter::forget_quiet(time_point now) {
  for (auto each = active_.begin(); each != active_.end();) {
    if (quiet(each->second, now)) {
      others_.suppressed +=
          each->second.suppressed;  // Told by somebody else's line rather than by none.
      each = active_.erase(each);
    } else {
      ++each;
    }
  }
}

}  // namespace mailroom::log
