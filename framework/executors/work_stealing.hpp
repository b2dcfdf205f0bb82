#pragma once

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/executors/injection_queue.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::executors {

/// N threads, `mr-ws-0` and on, for many items on all cores. Each has a queue of its own and a slot
/// for the item submitted last, which runs next while its data is warm; from outside items come
/// through one injection queue. A worker without work steals half of another's queue, or sleeps;
/// one is woken when there is more work than the awake ones see to. Items pinned to a worker
/// (`affinity::worker`) run there alone, in order.
///
/// An item in the slot waits for the end of the turn that submitted it, unless a worker searches
/// meanwhile: waking one for each message that a turn sends would cost more than it gains. What
/// goes first because of the slot does so for some turns or microseconds only, and as often a
/// worker that has work looks for what came from outside: nobody waits for more than a few turns of
/// the others.
///
/// A worker that the watch finds stuck in a turn is stood in for by a spare thread, if there are to
/// be some (`options::spares`), so that as many go on as before; `mr-ws-N` counts on. When the turn
/// has ended, a spare one rests: it runs what is pinned to it, and waits for the next time.
class work_stealing final : public executor {
 public:
  /// Precondition: `with.run` is set.
  explicit work_stealing(options with);
  ~work_stealing() override;

  std::string_view policy() const noexcept override { return "work-stealing"; }
  const std::string& name() const noexcept override { return with_.name; }
  void start() override;
  void submit(void* item, affinity where = affinity::anywhere()) noexcept override;
  void arm(timer& t, time_point due) noexcept override;
  void cancel(timer& t) noexcept override { timer_queue::cancel(t); }
  bool on_own_thread() const noexcept override;
  affinity own_worker() const noexcept override;
  std::size_t workers() const noexcept override { return regular_; }
  std::vector<affinity> all_workers() const override;
  bool is_stuck(affinity where) const noexcept override;
  statistics stats() const override;
  bool relieve(const turn_mark& stuck) noexcept override;
  std::vector<void*> stop(deadline until) override;

 private:
  struct worker;

  // A worker's life: work_stealing.cpp.
  void start(worker& w);
  affinity affinity_of(std::size_t index) const noexcept;
  worker& worker_of(affinity where) const noexcept;
  void run(worker& w) noexcept;
  time_point run_turn(worker& w, void* item) noexcept;
  void* next(worker& w) noexcept;
  void* next_shared(worker& w) noexcept;
  void push(worker& w, void* item) noexcept;

  // Searching and stealing: work_stealing_search.cpp.
  bool begin_search(worker& w) noexcept;
  void end_search(worker& w) noexcept;
  void* search(worker& w) noexcept;
  void* steal(worker& w, bool slots_too) noexcept;
  bool work_to_share() const noexcept;

  // Sleeping and waking: work_stealing_sleep.cpp.
  void park(worker& w) noexcept;
  bool is_empty() const noexcept;
  bool search_again(worker& w) noexcept;
  void wake_one() noexcept;
  void wake_exactly(worker& w) noexcept;
  void keep_time() noexcept;
  worker* take_idle(worker* w) noexcept;
  void wake(worker* w) noexcept;
  void finish() noexcept;

  // Standing in for stuck ones: work_stealing_relief.cpp.
  bool is_spare(const worker& w) const noexcept;
  bool stand_in_for(worker& stuck) noexcept;
  void not_stuck_any_more(worker& w) noexcept;
  void give_back(worker& w) noexcept;
  void rest_unless_needed(worker& w) noexcept;

  // Hardly ever changes.
  const options with_;
  std::size_t regular_ = 0;
  std::vector<std::unique_ptr<worker>> workers_;  // The spare ones behind the regular ones.
  std::size_t most_searchers_ = 1;
  deadline stop_at_;  // Written before stopping_.
  std::atomic<bool> stopping_{false};
  std::atomic<bool> over_{false};  // Workers leave after the turn they are in.

  alignas(64) timer_queue timers_;
  alignas(64) injection_queue injected_;

  alignas(64) std::atomic<std::size_t> searching_{0};
  std::atomic<std::size_t> idle_size_{0};
  alignas(64) std::mutex idle_mutex_;
  std::vector<worker*> idle_;     // Asleep or about to. Guarded by idle_mutex_.
  worker* keeper_ = nullptr;      // The one of idle_ that sleeps until ... Guarded by idle_mutex_.
  time_point keeper_wakes_at_{};  // ... this. Guarded by idle_mutex_.
  std::vector<worker*> resting_;  // Spare ones asleep that nobody needs. Guarded by idle_mutex_.
  std::atomic<std::size_t> started_{0};  // Threads. Written under idle_mutex_.
  std::atomic<std::size_t> surplus_{0};  // Spare ones that may rest. Written under idle_mutex_.
  std::atomic<std::uint64_t> wakeups_{0};
};

}  // namespace mailroom::executors
