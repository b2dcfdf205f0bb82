#include <mailroom/framework/executors/parker.hpp>
#include <mailroom/framework/executors/run_queue.hpp>
#include <mailroom/framework/executors/turn_watch.hpp>
#include <mailroom/framework/executors/work_stealing.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <thread>
#include <utility>

namespace mailroom::executors {
namespace {

constexpr unsigned slot_runs_in_a_row = 16;  // Then the queue, so that two items cannot starve it.
constexpr unsigned turns_per_injection_look =
    61;  // Go's number: a prime, so that it beats with nothing.
constexpr unsigned search_rounds = 4;

}  // namespace

struct alignas(64) work_stealing::worker {
  worker(work_stealing& all, std::size_t its_index)
      : owner(all),
        index(its_index),
        mark(all.with_.watch, all),
        random(static_cast<std::uint32_t>(its_index) * 2654435761U + 1U) {}

  work_stealing& owner;
  const std::size_t index;
  turn_mark mark;
  std::thread thread;

  // Its thread only.
  time_point now;
  std::uint32_t random;  // Which victim to begin with; any sequence does.
  unsigned tick = 0;
  unsigned slot_runs = 0;
  bool pinned_turn = false;     // Where `next` found the item: `again` puts it back there.
  bool timers_changed = false;  // Before a long turn somebody must sleep until the next timer.

  turn_meter meter;
  counter steals;
  counter parks;

  run_queue queue;
  std::atomic<void*> slot{nullptr};  // The item submitted last. Thieves may take it.
  turn_queue pinned;
  parker sleep;

  bool searching = false;  // Its thread, or under idle_mutex_ the one that wakes it.

  static thread_local worker* current;
};

thread_local work_stealing::worker* work_stealing::worker::current = nullptr;

work_stealing::work_stealing(options with) : with_(std::move(with)) {
  assert(with_.run != nullptr);
  const std::size_t count =
      with_.workers != 0 ? with_.workers : std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i != count; ++i) {
    workers_.push_back(std::make_unique<worker>(*this, i));
  }
  most_searchers_ = std::max<std::size_t>(1, count / 2);
  idle_.reserve(count);
}

work_stealing::~work_stealing() {
  if (!over_) {
    stop(deadline(time_point::min()));
  }
}

void work_stealing::start() {
  for (const auto& w : workers_) {
    w->thread =
        with_.host->start_thread("mr-ws-" + std::to_string(w->index), [this, &w = *w] { run(w); });
  }
}

bool work_stealing::on_own_thread() const noexcept {
  return worker::current != nullptr && &worker::current->owner == this;
}

affinity work_stealing::own_worker() const noexcept {
  return on_own_thread() ? affinity::worker(static_cast<std::uint32_t>(worker::current->index))
                         : affinity::anywhere();
}

// ---- submitting

void work_stealing::submit(void* item, affinity where) noexcept {
  worker* const own = on_own_thread() ? worker::current : nullptr;
  if (!where.is_anywhere()) {
    worker& home = *workers_[where.index() % workers_.size()];
    if (own == &home) {
      home.pinned.push(item);
    } else if (home.pinned.push_from_outside(item)) {
      wake_exactly(home);
    }
  } else if (own != nullptr) {
    void* const before = own->slot.exchange(item, std::memory_order_acq_rel);
    if (before != nullptr) {
      push(*own, before);
      wake_one();
    }
  } else {
    inject(&item, 1);
    wake_one();
  }
}

void work_stealing::push(worker& w, void* item) noexcept {
  while (!w.queue.push(item)) {
    std::array<void*, run_queue::capacity / 2> older{};
    inject(older.data(), w.queue.spill(older));
  }
}

void work_stealing::inject(void* const* items, std::size_t count) noexcept {
  const std::lock_guard lock(injection_mutex_);
  if (!closed_) {
    for (std::size_t i = 0; i != count; ++i) {
      injected_.push(items[i]);
    }
    injected_size_.store(injected_.size());
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
  w.now = with_.host->now();
  while (!over_.load()) {
    if (timers_.next() <= w.now) {
      timers_.fire(w.now);
    }
    if (stopping_.load() && stop_at_.passed(w.now)) {
      finish();
      break;
    }
    void* item = next(w);
    if (item == nullptr) {
      item = search(w);
    }
    if (item == nullptr) {
      park(w);
      w.now = with_.host->now();
      continue;
    }
    end_search(w);
    if (std::exchange(w.timers_changed, false)) {
      keep_time();
    }
    run_turn(w, item);
  }
  w.mark.leave();
  worker::current = nullptr;
}

void work_stealing::run_turn(worker& w, void* item) noexcept {
  w.mark.begin(w.now);
  const verdict wants = with_.run(item, *this);
  const time_point end = with_.host->now();
  w.meter.add(end - std::exchange(w.now, end));  // The end of one turn is the start of the next.
  if (wants == verdict::done) {
    return;
  }
  if (w.pinned_turn) {
    w.pinned.push(item);
    return;
  }
  push(w, item);
  if (w.queue.size() > 1 || w.slot.load(std::memory_order_relaxed) != nullptr) {
    wake_one();  // Alone it would only be carried from worker to worker.
  }
}

void* work_stealing::next(worker& w) noexcept {
  ++w.tick;
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
  if (w.tick % turns_per_injection_look == 0) {
    if (void* const item = take_one_injected()) {
      return item;
    }
  }
  const auto take_slot = [&w]() -> void* {
    return w.slot.load(std::memory_order_relaxed) == nullptr
               ? nullptr
               : w.slot.exchange(nullptr, std::memory_order_acq_rel);
  };
  if (w.slot_runs < slot_runs_in_a_row) {
    if (void* const item = take_slot()) {
      ++w.slot_runs;
      return item;
    }
  }
  w.slot_runs = 0;
  if (void* const item = w.queue.pop()) {
    return item;
  }
  if (void* const item = take_slot()) {
    return item;
  }
  return take_injected(w);
}

void* work_stealing::take_one_injected() noexcept {
  if (injected_size_.load() == 0) {
    return nullptr;
  }
  const std::lock_guard lock(injection_mutex_);
  if (injected_.empty()) {
    return nullptr;
  }
  void* const item = injected_.pop();
  injected_size_.store(injected_.size());
  return item;
}

// A fair share of what was injected, into the empty queue of `w`; returns the first of it.
void* work_stealing::take_injected(worker& w) noexcept {
  if (injected_size_.load() == 0) {
    return nullptr;
  }
  const std::lock_guard lock(injection_mutex_);
  if (injected_.empty()) {
    return nullptr;
  }
  const std::size_t share =
      std::min<std::size_t>(injected_.size() / workers_.size() + 1, run_queue::capacity / 2);
  void* const first = injected_.pop();
  for (std::size_t taken = 1; taken < share && !injected_.empty(); ++taken) {
    w.queue.push(injected_.pop());
  }
  injected_size_.store(injected_.size());
  return first;
}

// ---- searching

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
  if (!begin_search(w)) {
    return nullptr;
  }
  for (unsigned round = 1; round <= search_rounds; ++round) {
    if (void* const item = steal(w, round == search_rounds)) {
      return item;
    }
    if (void* const item = take_injected(w)) {
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
    if (slots_too && victim.slot.load(std::memory_order_relaxed) != nullptr) {
      item = victim.slot.exchange(nullptr, std::memory_order_acq_rel);
      if (item != nullptr) {
        w.steals.add();
        return item;
      }
    }
  }
  return nullptr;
}

// Slots do not count: their owners are awake and come to them at the end of their turns.
bool work_stealing::work_to_share() const noexcept {
  return injected_size_.load() != 0 ||
         std::any_of(
             workers_.begin(), workers_.end(), [](const auto& w) { return w->queue.size() != 0; });
}

// ---- sleeping and waking: see parker.hpp for the order that loses no wake-up

void work_stealing::park(worker& w) noexcept {
  if (std::exchange(w.searching, false)) {
    searching_.fetch_sub(1);
  }
  w.timers_changed = false;
  w.mark.rest();
  w.sleep.announce();
  time_point until = time_point::max();
  bool all_idle = false;
  {
    const std::lock_guard lock(idle_mutex_);
    idle_.push_back(&w);
    idle_size_.store(idle_.size());
    const time_point next = timers_.next();
    if (next != time_point::max() && (keeper_ == nullptr || next < keeper_wakes_at_)) {
      keeper_ = &w;
      keeper_wakes_at_ = next;
      until = next;
    }
    all_idle = idle_.size() == workers_.size();
  }
  const bool work = work_to_share();
  if (!work && all_idle && stopping_.load() &&
      std::all_of(workers_.begin(), workers_.end(), [](const auto& each) {
        return each->pinned.size() == 0;
      })) {
    finish();
  }
  if (!over_.load() && w.pinned.empty() && !(work && search_again(w))) {
    w.parks.add();
    w.sleep.sleep(until);
  }
  w.sleep.stay_awake();
  const std::lock_guard lock(idle_mutex_);
  take_idle(&w);  // Unless whoever woke us did.
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

// Takes `w` out of the idle ones; null if it is not there. Under idle_mutex_.
work_stealing::worker* work_stealing::take_idle(worker* w) noexcept {
  const auto found = std::find(idle_.begin(), idle_.end(), w);
  if (found == idle_.end()) {
    return nullptr;
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
  if (idle_size_.load() == 0) {
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

// ---- the end

void work_stealing::finish() noexcept {
  over_.store(true);
  const std::lock_guard lock(idle_mutex_);
  while (!idle_.empty()) {
    wake(take_idle(idle_.back()));
  }
}

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
    for (const auto& w : workers_) {
      if (w->thread.joinable()) {  // Not all could be started.
        w->thread.join();
      }
    }
  }
  over_.store(true);
  std::vector<void*> left;
  for (const auto& w : workers_) {
    for (void* const item : w->pinned.close()) {
      left.push_back(item);
    }
    if (void* const item = w->slot.exchange(nullptr)) {
      left.push_back(item);
    }
    while (void* const item = w->queue.pop()) {
      left.push_back(item);
    }
  }
  const std::lock_guard lock(injection_mutex_);
  closed_ = true;
  while (!injected_.empty()) {
    left.push_back(injected_.pop());
  }
  injected_size_.store(0);
  return left;
}

statistics work_stealing::stats() const {
  statistics all;
  all.name = with_.name;
  all.policy = policy();
  all.threads = workers_.size();
  all.queued = injected_size_.load(std::memory_order_relaxed);
  all.wakeups = wakeups_.load(std::memory_order_relaxed);
  for (const auto& w : workers_) {
    w->meter.add_to(all);
    w->mark.add_to(all);
    all.queued += w->queue.size() + w->pinned.size() +
                  (w->slot.load(std::memory_order_relaxed) != nullptr ? 1 : 0);
    all.steals += w->steals.get();
    all.parks += w->parks.get();
  }
  return all;
}

}  // namespace mailroom::executors
