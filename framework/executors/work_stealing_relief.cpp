#include <mailroom/framework/executors/work_stealing.hpp>
#include <mailroom/framework/executors/work_stealing_worker.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

// Spare workers, which stand in for those that are stuck in a turn (as Go's monitor gives what a
// thread in a long system call had to another, and Java's fork-join pool compensates for threads
// that block). As many help as workers are relieved, and those that have not noticed yet that they
// may rest.

namespace mailroom::executors {

bool work_stealing::is_spare(const worker& w) const noexcept {
  return w.index >= regular_;
}

bool work_stealing::relieve(const turn_mark& stuck) noexcept {
  const auto found = std::find_if(
      workers_.begin(), workers_.end(), [&](const auto& each) { return &each->mark == &stuck; });
  const bool relieved = found != workers_.end() && stand_in_for(**found);
  wake_one();  // For the item in the slot of the stuck worker, whoever has time.
  return relieved;
}

bool work_stealing::stand_in_for(worker& stuck) noexcept {
  const std::lock_guard lock(idle_mutex_);
  const auto sleeps = [&](const std::vector<worker*>& here) {
    return std::find(here.begin(), here.end(), &stuck) != here.end();
  };
  if (over_.load() || !stuck.helps.load() || sleeps(idle_) || sleeps(resting_)) {
    return false;  // Or its turn has ended meanwhile.
  }
  if (stuck.relieved.load()) {
    return true;  // Of a turn before, whose end it has not come to tell.
  }
  if (surplus_.load() != 0) {
    surplus_.store(surplus_.load() - 1);
    stuck.relieved.store(true);
    return true;
  }
  for (std::size_t i = regular_; i != workers_.size(); ++i) {
    worker& spare = *workers_[i];
    if (spare.helps.load() || spare.mark.is_stuck()) {
      continue;  // What is pinned to one that rests may hang as well.
    }
    spare.helps.store(true);
    try {
      if (!spare.thread.joinable()) {
        start(spare);
      }
    } catch (const std::exception&) {  // No thread to be had: the others go on as they can.
      spare.helps.store(false);
      return false;
    }
    stuck.relieved.store(true);
    wake(take_idle(&spare));
    return true;
  }
  return false;
}

void work_stealing::not_stuck_any_more(worker& w) noexcept {
  const std::lock_guard lock(idle_mutex_);
  give_back(w);
}

// Its turn has ended: one that stands in does so for another that had none, or may rest. One that
// sleeps is woken for that. Under idle_mutex_.
void work_stealing::give_back(worker& w) noexcept {
  w.relieved.store(false);
  const auto has_none = std::find_if(workers_.begin(), workers_.end(), [&](const auto& each) {
    return each.get() != &w && each->helps.load() && !each->relieved.load() &&
           each->mark.is_stuck();
  });
  if (has_none != workers_.end()) {
    (*has_none)->relieved.store(true);
    return;
  }
  surplus_.store(surplus_.load() + 1);
  const auto asleep = std::find_if(
      idle_.begin(), idle_.end(), [this](const worker* each) { return is_spare(*each); });
  if (asleep != idle_.end()) {
    wake(take_idle(*asleep));
  }
}

// What it was to do is left to the others, as far as it is not pinned to it.
void work_stealing::rest_unless_needed(worker& w) noexcept {
  if (surplus_.load(std::memory_order_relaxed) == 0) {
    return;
  }
  {
    const std::lock_guard lock(idle_mutex_);
    if (surplus_.load() == 0 || !w.helps.load()) {
      return;
    }
    surplus_.store(surplus_.load() - 1);
    w.helps.store(false);
  }
  void* item = w.slot.take();
  if (item == nullptr) {
    item = w.queue.pop();
  }
  for (; item != nullptr; item = w.queue.pop()) {
    injected_.push({&item, 1});
  }
  end_search(w);
  wake_one();
  keep_time();
}

}  // namespace mailroom::executors
