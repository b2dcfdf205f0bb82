#include <mailroom/framework/directory/departed_nodes.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace mailroom::directory {
namespace {

bool counts_anything(const ledger& all) {
  const auto counts = [](const auto& each) { return each.second != 0; };
  return std::any_of(all.out.begin(), all.out.end(), counts) ||
         std::any_of(all.in.begin(), all.in.end(), counts);
}

}  // namespace

void departed_nodes::left(farewell last, time_point now) {
  returned(last.incarnation);
  if (!last.address.empty() || counts_anything(last.counted)) {
    add({std::move(last), false, now});
  }
}

void departed_nodes::lapsed(const registration& whose, time_point now) {
  returned(whose.incarnation);
  add({{whose.incarnation, whose.node, whose.address, {}}, true, now});
}

void departed_nodes::returned(const wire::identity& incarnation) {
  std::erase_if(nodes_, [&](const entry& each) { return each.last.incarnation == incarnation; });
}

void departed_nodes::add(entry which) {
  nodes_.push_back(std::move(which));
  if (nodes_.size() > most) {
    const entry& oldest = nodes_.front();
    ++(oldest.lapsed ? earlier_.lapsed : earlier_.left);
    earlier_.counted += oldest.last.counted;
    nodes_.pop_front();
  }
}

departures departed_nodes::list(time_point now) const {
  departures all;
  all.earlier = earlier_;
  for (const auto& each : nodes_) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - each.since);
    all.nodes.push_back({each.last,
                         each.lapsed,
                         static_cast<std::uint64_t>(std::max<std::int64_t>(age.count(), 0))});
  }
  return all;
}

}  // namespace mailroom::directory
