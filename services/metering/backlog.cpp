#include <mailroom/services/metering/backlog.hpp>

#include <algorithm>
#include <iterator>

namespace mailroom::metering {

namespace {
std::ptrdiff_t offset(std::size_t count) {
  return static_cast<std::ptrdiff_t>(count);
}
}  // namespace

void backlog::add(std::vector<sample> samples) {
  std::move(samples.begin(), samples.end(), std::back_inserter(kept_));
  if (kept_.size() > limit_) {
    const auto excess = kept_.size() - limit_;
    kept_.erase(kept_.begin(), kept_.begin() + offset(excess));
    dropped_ += excess;
  }
}

std::vector<sample> backlog::oldest(std::size_t most) const {
  return {kept_.begin(), kept_.begin() + offset(std::min(most, kept_.size()))};
}

void backlog::confirm(std::size_t count) {
  kept_.erase(kept_.begin(), kept_.begin() + offset(std::min(count, kept_.size())));
}

}  // namespace mailroom::metering
