#pragma once

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/executors/parker.hpp>
#include <mailroom/framework/executors/turn_queue.hpp>
#include <mailroom/framework/executors/turn_watch.hpp>

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mailroom::executors {

/// One thread of its own, `mr-coop`, and strict first-in-first-out order of turns, from whichever
/// thread they were submitted: what eventlet's hub is to Python.
class cooperative final : public executor {
 public:
  /// Precondition: `with.run` is set.
  explicit cooperative(options with);
  ~cooperative() override;

  std::string_view policy() const noexcept override { return "cooperative"; }
  const std::string& name() const noexcept override { return with_.name; }
  void start() override;
  void submit(void* item, affinity where = affinity::anywhere()) noexcept override;
  void arm(timer& t, time_point due) noexcept override;
  void cancel(timer& t) noexcept override { timer_queue::cancel(t); }
  bool on_own_thread() const noexcept override;
  std::size_t workers() const noexcept override { return 1; }
  statistics stats() const override;
  std::vector<void*> stop(deadline until) override;

 private:
  void run() noexcept;
  void sleep() noexcept;
  void wake() noexcept;

  const options with_;
  turn_queue queue_;
  timer_queue timers_;
  turn_meter meter_;
  turn_mark mark_;
  counter parks_;
  std::atomic<std::uint64_t> wakeups_{0};
  parker parker_;
  deadline stop_at_;  // Written before stopping_.
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace mailroom::executors
