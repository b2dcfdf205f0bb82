#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/executors/cooperative.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/executors/loop_bound.hpp>
#include <mailroom/framework/executors/work_stealing.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace mailroom::executors {
namespace {

struct entry {
  std::string_view name;
  std::unique_ptr<executor> (*make)(executor::options with);
};

template <class Policy>
std::unique_ptr<executor> make(executor::options with) {
  return std::make_unique<Policy>(std::move(with));
}

// To add a policy, add its line.
constexpr std::array known{
    entry{"cooperative", &make<cooperative>},
    entry{"work-stealing", &make<work_stealing>},
    entry{"loop-bound", &make<loop_bound>},
};

error unknown(std::string_view policy) {
  const entry* nearest = known.data();
  std::string names;
  for (const entry& each : known) {
    names.append(names.empty() ? "" : ", ").append(each.name);
    if (edit_distance(policy, each.name) < edit_distance(policy, nearest->name)) {
      nearest = &each;
    }
  }
  return error(errc::invalid_value,
               "no executor policy '" + std::string(policy) + "': there are " + names +
                   " (nearest: " + std::string(nearest->name) + ")");
}

}  // namespace

result<std::unique_ptr<executor>> make_executor(std::string_view policy, executor::options with) {
  const auto* const found = std::find_if(
      known.begin(), known.end(), [&](const entry& each) { return each.name == policy; });
  if (found == known.end()) {
    return unknown(policy);
  }
  if (with.run == nullptr || with.host == nullptr) {
    return error(errc::invalid_value,
                 "executor '" + with.name + "' was given no function to run its items");
  }
  if (policy == "loop-bound" && with.loops.empty()) {
    return error(errc::invalid_value,
                 "executor '" + with.name + "': loop-bound needs at least one event loop");
  }
  return found->make(std::move(with));
}

std::vector<std::string_view> policies() {
  std::vector<std::string_view> names;
  for (const entry& each : known) {
    names.push_back(each.name);
  }
  return names;
}

}  // namespace mailroom::executors
