#include <mailroom/framework/directory/static_source.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::directory {

void static_source::watch(const key& what) {
  if (!watched_.insert(what).second) {
    return;
  }
  news all;
  all.complete = true;
  for (const auto& each : nodes_) {
    registration asked_for = each;
    std::erase_if(asked_for.topics, [this](const key& of) { return !watched_.contains(of); });
    if (!asked_for.topics.empty()) {
      all.joined.push_back(std::move(asked_for));
    }
  }
  observer_.on_news(*this, all);
  observer_.on_changed(*this);
}

}  // namespace mailroom::directory
