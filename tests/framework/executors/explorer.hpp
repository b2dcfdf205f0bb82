#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <vector>

namespace mailroom::tests {

/// Every state that a small concurrent program can reach. A program is a state of plain bytes and a
/// function that appends the states after one atomic step of each thread that can make one.
template <class State>
class explorer {
  static_assert(std::has_unique_object_representations_v<State>, "states are compared as bytes");

 public:
  using steps = std::function<void(const State&, std::vector<State>&)>;

  explicit explorer(steps all_steps) : steps_(std::move(all_steps)) {}

  /// Whether a state that `wanted` describes can be reached from `start`.
  bool finds(const State& start, const std::function<bool(const State&)>& wanted) {
    std::unordered_set<std::string> seen;
    std::vector<State> open{start};
    seen.insert(key(start));
    std::vector<State> after;
    while (!open.empty()) {
      const State state = open.back();
      open.pop_back();
      if (wanted(state)) {
        return true;
      }
      after.clear();
      steps_(state, after);
      for (const State& next : after) {
        if (seen.insert(key(next)).second) {
          open.push_back(next);
        }
      }
    }
    states_ = seen.size();
    return false;
  }

  /// How many states there are, after `finds` found nothing.
  std::size_t states() const noexcept { return states_; }

 private:
  static std::string key(const State& state) {
    std::string bytes(sizeof(State), '\0');
    std::memcpy(bytes.data(), &state, sizeof(State));
    return bytes;
  }

  steps steps_;
  std::size_t states_ = 0;
};

}  // namespace mailroom::tests
