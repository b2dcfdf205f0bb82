#pragma once

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/executors/turn_queue.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::executors {

/// Runs turns on the threads of event loops, in their phase work, between the sockets' input and
/// their output: what asyncio's loop is to Python. The loops belong to someone else and run from
/// before `start` until after `stop`. A pass runs the turns that were queued when the phase began,
/// and for some microseconds those that they cause.
///
/// `affinity::worker(n)` is the n-th loop. `anywhere` is the calling loop if it is one of ours,
/// else the first. Timers are armed on the calling loop likewise.
class loop_bound final : public executor {
 public:
  /// Precondition: `with.run` is set and `with.loops` is not empty.
  explicit loop_bound(options with);
  ~loop_bound() override;

  std::string_view policy() const noexcept override { return "loop-bound"; }
  const std::string& name() const noexcept override { return with_.name; }
  void start() override;
  void submit(void* item, affinity where = affinity::anywhere()) noexcept override;
  void arm(timer& t, time_point due) noexcept override;
  void cancel(timer& t) noexcept override { timer_queue::cancel(t); }
  bool on_own_thread() const noexcept override;
  affinity own_worker() const noexcept override;
  std::size_t workers() const noexcept override { return with_.loops.size(); }
  bool is_stuck(affinity where) const noexcept override;
  event_loop* loop_of(affinity where) const noexcept override;
  /// `parks` and `wakeups` are those of the loops, which others use too.
  statistics stats() const override;
  std::vector<void*> stop(deadline until) override;

 private:
  class seat;

  std::size_t here() const noexcept;

  const options with_;
  std::vector<std::unique_ptr<seat>> seats_;  // One for each loop.
  std::atomic<bool> started_{false};
  bool stopped_ = false;
};

}  // namespace mailroom::executors
