#pragma once

#include <mailroom/framework/async/flow.hpp>

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace mailroom::async {

/// A thread that a flow has to itself: what the flow stands on, and where the parts of it run that
/// it waits for (tasks, `on_fiber`), on the same thread while it waits. Time is its endpoint's.
class thread_home final : public home, public stack {
 public:
  /// `endpoint` outlives it, and lets its timers be armed and cancelled on any thread.
  explicit thread_home(home& endpoint) noexcept : endpoint_(endpoint) {}
  ~thread_home() override = default;

  /// @threadsafe
  void post(work& todo) noexcept override;
  void arm(executors::timer& t, time_point due) noexcept override { endpoint_.arm(t, due); }
  void cancel(executors::timer& t) noexcept override { endpoint_.cancel(t); }
  time_point now() const noexcept override { return endpoint_.now(); }
  void hold() noexcept override { ++held_; }
  void let_go() noexcept override { --held_; }

  void park() noexcept override;
  void resume() noexcept override { resumed_ = true; }

  /// Whatever waits here is resumed with `flow_cancelled`, now or when it next waits. @threadsafe
  void end() noexcept;

  /// Runs what was left to itself (`shield`) to its end. On its thread, last.
  void finish() noexcept;

 private:
  void run_one() noexcept;

  home& endpoint_;
  bool resumed_ = false;  // Its thread only, as the next two.
  bool has_cancelled_ = false;
  std::size_t held_ = 0;
  std::mutex mutex_;
  std::condition_variable arrived_;
  work* first_ = nullptr;  // Guarded by mutex_, as the rest.
  work* last_ = nullptr;
  bool ending_ = false;
};

}  // namespace mailroom::async
