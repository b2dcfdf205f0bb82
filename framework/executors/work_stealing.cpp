#include <mailroom/framework/executors/work_stealing.hpp>
#include <mailroom/framework/executors/work_stealing_worker.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace mailroom::executors {
namespace {

// What came last goes first for so many turns and so long; then it goes to the end of the queue, so
// that items that wake each other cannot starve it.
constexpr unsigned slot_runs_in_a_row = 16;
constexpr duration slot_time_in_a_row = 100us;

// How often a worker that has work looks for what came from outside. The turns are Go's number: a
// prime, so that it beats with nothing.
constexpr unsigned turns_per_injection_look = 61;
constexpr duration time_per_injection_look = 100us;

// Spare workers have names that no index given from outside is taken for.
constexpr std::uint32_t first_spare = std::uint32_t{1} << 24U;

}  // namespace

thread_local work_stealing::worker* work_stealing::worker::current = nullptr;

work_stealing::work_stealing(options with) : with_(std::move(with)) {
  assert(with_.run != nullptr);
  const std::size_t count =
      with_.workers != 0 ? with_.workers : std::max(1U, std::thread::hardware_concurrency());
  regular_ = count;
  const std::size_t all = count + (with_.watch != nullptr ? with_.spares : 0);
  for (std::size_t i = 0; i != all; ++i) {
    workers_.push_back(std::make_unique<worker>(*this, i));
    workers_.back()->helps.store(i < count, std::memory_order_relaxed);
  }
  most_searchers_ = std::max<std::size_t>(1, count / 2);
  idle_.reserve(all);
  resting_.reserve(all - count);
}

work_stealing::~work_stealing() {
  if (!over_) {
    stop(deadline(time_point::min()));
  }
}

void work_stealing::start() {
  for (std::size_t i = 0; i != regular_; ++i) {
    const std::lock_guard lock(idle_mutex_);
    start(*workers_[i]);
  }
}

// Under idle_mutex_.
void work_stealing::start(worker& w) {
  w.thread = with_.host->start_thread("mr-ws-" + std::to_string(w.index), [this, &w] { run(w); });
  started_.store(started_.load() + 1);
}

bool work_stealing::on_own_thread() const noexcept {
  return worker::current != nullptr && &worker::current->owner == this;
}

affinity work_stealing::own_worker() const noexcept {
  return on_own_thread() ? affinity_of(worker::current->index) : affinity::anywhere();
}

affinity work_stealing::affinity_of(std::size_t index) const noexcept {
  return affinity::worker(
      static_cast<std::uint32_t>(index < regular_ ? index : index - regular_ + first_spare));
}

work_stealing::worker& work_stealing::worker_of(affinity where) const noexcept {
  return *workers_[where.index() < first_spare ? where.index() % regular_
                                               : where.index() - first_spare + regular_];
}

bool work_stealing::is_stuck(affinity where) const noexcept {
  return !where.is_anywhere() && worker_of(where).mark.is_stuck();
}

std::vector<affinity> work_stealing::all_workers() const {
  std::vector<affinity> all;
  for (std::size_t i = 0; i != started_.load(); ++i) {
    all.push_back(affinity_of(i));
  }
  return all;
}

// ---- submitting

void work_stealing::submit(void* item, affinity where) noexcept {
  worker* const own = on_own_thread() ? worker::current : nullptr;
  if (!where.is_anywhere()) {
    worker& home = worker_of(where);
    if (own == &home) {
      home.pinned.push(item);
    } else if (home.pinned.push_from_outside(item)) {
      wake_exactly(home);
    }
  } else if (own != nullptr && own->helps.load(std::memory_order_relaxed)) {
    if (void* const before = own->slot.put(item)) {
      push(*own, before);
      wake_one();
    }
  } else {
    injected_.push_from_outside(item);
    wake_one();
  }
}

void work_stealing::push(worker& w, void* item) noexcept {
  while (!w.queue.push(item)) {
    std::array<void*, run_queue::capacity / 2> older{};
    injected_.push({older.data(), w.queue.spill(older)});
  }
}

void work_stealing::arm(timer& t, time_point due) noexcept {
  if (!timers_.arm(t, due)) {
    return;
  }
  if (on_own_thread()) {
    worker::current->timers_changed =
        true;  // This turn is likely to be short, and then we see to it.
  } else {
    keep_time();
  }
}

// ---- a worker's life

void work_stealing::run(worker& w) noexcept {
  worker::current = &w;
  w.mark.enter();
  time_point now = w.meter.begin(*with_.host);
  while (!over_.load()) {
    if (timers_.next() <= now) {
      timers_.fire(now);
    }
    if (stopping_.load() && stop_at_.passed(now)) {
      finish();
      break;
    }
    if (is_spare(w)) {
      rest_unless_needed(w);
    }
    void* item = next(w);
    if (item == nullptr) {
      item = search(w);
    }
    if (item == nullptr) {
      park(w);
      now = w.meter.begin(*with_.host);
      continue;
    }
    end_search(w);
    if (std::exchange(w.timers_changed, false)) {
      keep_time();
    }
    w.mark.begin(now);
    now = run_turn(w, item);
    if (w.relieved.load(std::memory_order_relaxed)) {
      not_stuck_any_more(w);
    }
  }
  w.mark.leave();
  worker::current = nullptr;
}

time_point work_stealing::run_turn(worker& w, void* item) noexcept {
  const verdict wants = with_.run(item, *this);
  const time_point end = w.meter.end_turn(*with_.host);
  if (wants == verdict::again) {
    if (w.pinned_turn) {
      w.pinned.push(item);
    } else {
      push(w, item);
      if (w.queue.size() > 1 || !w.slot.empty()) {
        wake_one();  // Alone it would only be carried from worker to worker.
      }
    }
  }
  return end;
}

void* work_stealing::next(worker& w) noexcept {
  ++w.tick;
  if (!w.helps.load(std::memory_order_relaxed)) {
    w.pinned_turn = true;
    return w.pinned.pop();
  }
  // Pinned items and all others take turns.
  w.pinned_turn = true;
  if (w.tick % 2 == 0) {
    if (void* const item = w.pinned.pop()) {
      return item;
    }
  }
  w.pinned_turn = false;
  if (void* const item = next_shared(w)) {
    return item;
  }
  w.pinned_turn = true;
  if (void* const item = w.pinned.pop()) {
    return item;
  }
  w.pinned_turn = false;
  return nullptr;
}

void* work_stealing::next_shared(worker& w) noexcept {
  const time_point now = w.meter.now();
  if (w.tick % turns_per_injection_look == 0 || now - w.looked_at >= time_per_injection_look) {
    w.looked_at = now;
    if (void* const item = injected_.pop()) {
      push(w, item);
      wake_one();
    }
  }
  const bool goes_first =
      w.slot_runs < slot_runs_in_a_row && now - w.slot_since < slot_time_in_a_row;
  if (goes_first) {
    if (void* const item = w.slot.take()) {
      ++w.slot_runs;
      return item;
    }
  }
  w.slot_runs = 0;
  w.slot_since = now;
  if (void* const item = w.queue.pop()) {
    if (void* const last = goes_first ? nullptr : w.slot.take()) {
      push(w, last);
      wake_one();
    }
    return item;
  }
  if (void* const item = w.slot.take()) {
    return item;
  }
  return injected_.take_share(w.queue, regular_);
}

// ---- the end

std::vector<void*> work_stealing::stop(deadline until) {
  assert(!on_own_thread());
  if (workers_.front()->thread.joinable()) {
    stop_at_ = until;
    stopping_.store(true);
    {
      // They wake, find nothing, and the last to go to sleep again ends it.
      const std::lock_guard lock(idle_mutex_);
      while (!idle_.empty()) {
        wake(take_idle(idle_.back()));
      }
    }
    for (std::size_t i = 0; i != workers_.size(); ++i) {
      if (i == regular_) {
        // The regular ones have left, so it is over: after this no spare one is started any more.
        const std::lock_guard lock(idle_mutex_);
      }
      if (workers_[i]->thread.joinable()) {  // Not all could be started.
        workers_[i]->thread.join();
      }
    }
  }
  over_.store(true);
  std::vector<void*> left;
  for (const auto& w : workers_) {
    for (void* const item : w->pinned.close()) {
      left.push_back(item);
    }
    if (void* const item = w->slot.take()) {
      left.push_back(item);
    }
    while (void* const item = w->queue.pop()) {
      left.push_back(item);
    }
  }
  for (void* const item : injected_.close()) {
    left.push_back(item);
  }
  return left;
}

statistics work_stealing::stats() const {
  statistics all;
  all.name = with_.name;
  all.policy = policy();
  all.threads = regular_;
  all.queued = injected_.size();
  all.wakeups = wakeups_.load(std::memory_order_relaxed);
  all.hops = injected_.hops();
  for (const auto& w : workers_) {
    w->meter.add_to(all);
    w->mark.add_to(all);
    all.queued += w->queue.size() + w->pinned.size() + (w->slot.empty() ? 0 : 1);
    all.steals += w->steals.get();
    all.parks += w->parks.get();
    all.hops += w->pinned.hops();
    if (is_spare(*w) && w->helps.load(std::memory_order_relaxed)) {
      ++all.threads;
      ++all.spares;
    }
  }
  return all;
}

}  // namespace mailroom::executors
