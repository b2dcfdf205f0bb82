#pragma once

#include <algorithm>
#include <cstddef>
#include <future>
#include <type_traits>
#include <utility>
#include <vector>

namespace mailroom::cli {

/// What `ask` says of each, in order. Some are asked at the same time, each on a thread, so that
/// one that does not answer takes nobody else's time. Blocks until all have.
template <class Each, class Ask>
auto in_parallel(const std::vector<Each>& all, const Ask& ask) {
  constexpr std::size_t at_a_time = 32;
  using answer = std::invoke_result_t<const Ask&, const Each&>;
  std::vector<answer> answers;
  answers.reserve(all.size());
  for (std::size_t begun = 0; begun < all.size(); begun += at_a_time) {
    std::vector<std::future<answer>> asked;
    for (std::size_t i = begun; i < std::min(begun + at_a_time, all.size()); ++i) {
      asked.push_back(std::async(std::launch::async, [&ask, &each = all[i]] { return ask(each); }));
    }
    for (auto& each : asked) {
      answers.push_back(each.get());
    }
  }
  return answers;
}

}  // namespace mailroom::cli
