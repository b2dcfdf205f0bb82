#include <mailroom/framework/observability/line_limiter.hpp>

#include <utility>

namespace mailroom::log {

std::optional<std::uint64_t> line_limiter::admit(std::string_view group, time_point now) {
  history& past = find(group, now);
  while (!past.written.empty() && now - past.written.front() >= window_) {
    past.written.pop_front();
  }
  if (past.written.size() >= lines_) {
    ++past.suppressed;
    return std::nullopt;
  }
  past.written.push_back(now);
  return std::exchange(past.suppressed, 0);
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
