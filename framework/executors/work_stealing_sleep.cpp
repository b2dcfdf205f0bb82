#include <mailroom/framework/executors/work_stealing.hpp>
#include <mailroom/framework/executors/work_stealing_worker.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <mutex>
#include <utility>

// How workers go to sleep and are woken: see parker.hpp for the order that loses no wake-up, and
// tests/framework/executors/stealing_model_test.cpp for what could go wrong between several. One of
// the sleepers, the keeper, sleeps until the next timer only.

namespace mailroom::executors {

void work_stealing::park(worker& w) noexcept {
  if (std::exchange(w.searching, false)) {
    searching_.fetch_sub(1);
  }
  const bool timers_changed = std::exchange(w.timers_changed, false);
  w.mark.rest();
  w.sleep.announce();
  time_point until = time_point::max();
  bool helps = true;
  bool nothing_left = false;
  {
    const std::lock_guard lock(idle_mutex_);
    if (w.relieved.load(std::memory_order_relaxed)) {
      give_back(w);  // It was found stuck when its turn had just ended.
    }
    helps = w.helps.load(std::memory_order_relaxed);
    if (helps && is_spare(w) && surplus_.load(std::memory_order_relaxed) != 0) {
      w.sleep.stay_awake();
      return;  // It may rest instead.
    }
    if (!helps) {
      resting_.push_back(&w);
    } else {
      idle_.push_back(&w);
      idle_size_.store(idle_.size());
      const time_point next = timers_.next();
      if (next != time_point::max() && (keeper_ == nullptr || next < keeper_wakes_at_)) {
        keeper_ = &w;
        keeper_wakes_at_ = next;
        until = next;
      }
    }
    nothing_left =
        stopping_.load() && idle_.size() + resting_.size() == started_.load() && is_empty();
  }
  if (nothing_left) {
    finish();
  }
  if (!helps && timers_changed) {
    keep_time();  // It does not do so itself.
  }
  const bool work = helps && work_to_share();
  if (!over_.load() && w.pinned.empty() && !(work && search_again(w))) {
    w.parks.add();
    w.sleep.sleep(until);
  }
  w.sleep.stay_awake();
  const std::lock_guard lock(idle_mutex_);
  take_idle(&w);  // Unless whoever woke us did.
}

// Under idle_mutex_ with all workers idle, so that none of them can be about to run what it has
// just taken: who takes something has left the idle ones before.
bool work_stealing::is_empty() const noexcept {
  return !work_to_share() && std::all_of(workers_.begin(), workers_.end(), [](const auto& each) {
    return each->pinned.size() == 0;
  });
}

// For a worker about to sleep that saw work: those who submitted it may have relied on its search,
// which had ended without it. Hence it searches again and passes on what it leaves; with as many
// searchers as there may be, one of them will.
bool work_stealing::search_again(worker& w) noexcept {
  const std::lock_guard lock(idle_mutex_);
  if (std::find(idle_.begin(), idle_.end(), &w) == idle_.end() || !begin_search(w)) {
    return false;
  }
  take_idle(&w);  // At once: whoever wakes one counts it as a searcher too.
  return true;
}

// Takes `w` out of those that sleep; null if it is not there. Under idle_mutex_.
work_stealing::worker* work_stealing::take_idle(worker* w) noexcept {
  const auto found = std::find(idle_.begin(), idle_.end(), w);
  if (found == idle_.end()) {
    return std::erase(resting_, w) != 0 ? w : nullptr;
  }
  idle_.erase(found);
  idle_size_.store(idle_.size());
  if (keeper_ == w) {
    keeper_ = nullptr;
    w->timers_changed = true;
  }
  return w;
}

void work_stealing::wake(worker* w) noexcept {
  if (w != nullptr && w->sleep.wake()) {
    wakeups_.fetch_add(1, std::memory_order_relaxed);
  }
}

void work_stealing::wake_one() noexcept {
  if (searching_.load() != 0 || idle_size_.load() == 0) {
    return;
  }
  worker* woken = nullptr;
  {
    const std::lock_guard lock(idle_mutex_);
    if (idle_.empty() || searching_.load() >= most_searchers_) {
      return;
    }
    // The warmest, and the keeper of time last.
    woken = take_idle(idle_.back() == keeper_ ? idle_.front() : idle_.back());
    assert(!woken->searching);
    woken->searching = true;
    searching_.fetch_add(1);
  }
  wake(woken);
}

void work_stealing::wake_exactly(worker& w) noexcept {
  if (idle_size_.load() == 0 && !is_spare(w)) {
    return;
  }
  worker* woken = nullptr;
  {
    const std::lock_guard lock(idle_mutex_);
    woken = take_idle(&w);
  }
  wake(woken);
}

// Sees to it that a sleeper wakes for the next timer, as long as there are sleepers. The others
// look at the time after each turn.
void work_stealing::keep_time() noexcept {
  if (idle_size_.load() == 0) {
    return;
  }
  worker* woken = nullptr;
  {
    const std::lock_guard lock(idle_mutex_);
    const time_point next = timers_.next();
    if (idle_.empty() || next == time_point::max() ||
        (keeper_ != nullptr && keeper_wakes_at_ <= next)) {
      return;
    }
    woken = take_idle(keeper_ != nullptr ? keeper_ : idle_.front());
    woken->timers_changed = true;  // It may find work on its way: then it wakes another.
  }
  wake(woken);
}

void work_stealing::finish() noexcept {
  over_.store(true);
  const std::lock_guard lock(idle_mutex_);
  while (!idle_.empty()) {
    wake(take_idle(idle_.back()));
  }
  while (!resting_.empty()) {
    wake(take_idle(resting_.back()));
  }
}

}  // namespace mailroom::executors
