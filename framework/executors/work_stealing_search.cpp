#include <mailroom/framework/executors/work_stealing.hpp>
#include <mailroom/framework/executors/work_stealing_worker.hpp>

#include <algorithm>
#include <cstddef>

// How a worker without work looks for some: in the others' queues and among what was injected. No
// more than half of the workers search at a time; whoever submits wakes another only if none does.

namespace mailroom::executors {
namespace {

constexpr unsigned search_rounds = 4;

}  // namespace

bool work_stealing::begin_search(worker& w) noexcept {
  if (w.searching) {
    return true;
  }
  std::size_t now = searching_.load();
  while (now < most_searchers_) {
    if (searching_.compare_exchange_weak(now, now + 1)) {
      w.searching = true;
      return true;
    }
  }
  return false;
}

// Whoever submits relies on a searcher to find the item. A searcher that found something else
// passes that on.
void work_stealing::end_search(worker& w) noexcept {
  if (w.searching) {
    w.searching = false;
    if (searching_.fetch_sub(1) == 1 && work_to_share()) {
      wake_one();
    }
  }
}

void* work_stealing::search(worker& w) noexcept {
  if (!w.helps.load(std::memory_order_relaxed) || !begin_search(w)) {
    return nullptr;
  }
  for (unsigned round = 1; round <= search_rounds; ++round) {
    if (void* const item = steal(w, round == search_rounds)) {
      return item;
    }
    if (void* const item = injected_.take_share(w.queue, regular_)) {
      return item;
    }
  }
  return nullptr;
}

void* work_stealing::steal(worker& w, bool slots_too) noexcept {
  w.random = w.random * 1664525U + 1013904223U;
  const std::size_t first_victim = (w.random >> 8U) % workers_.size();
  for (std::size_t i = 0; i != workers_.size(); ++i) {
    worker& victim = *workers_[(first_victim + i) % workers_.size()];
    if (&victim == &w) {
      continue;
    }
    void* item = nullptr;
    const std::uint32_t count = victim.queue.steal(w.queue, item);
    if (count != 0) {
      w.steals.add(count);
      return item;
    }
    if (slots_too && (item = victim.slot.take()) != nullptr) {
      w.steals.add();
      return item;
    }
  }
  return nullptr;
}

// Slots do not count: their owners are awake and come to them at the end of their turns.
bool work_stealing::work_to_share() const noexcept {
  return !injected_.empty() || std::any_of(workers_.begin(), workers_.end(), [](const auto& w) {
    return w->queue.size() != 0;
  });
}

}  // namespace mailroom::executors
