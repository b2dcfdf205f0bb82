#pragma once

#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/base/clock.hpp>

#include <mutex>

namespace mailroom::metering {

/// A wish that one flow sleeps for: to go on, or to end. It stays raised until the flow has seen
/// it.
class signal {
 public:
  signal();
  signal(const signal&) = delete;
  signal& operator=(const signal&) = delete;
  ~signal();

  /// Wakes the flow that waits, or the next that will. @threadsafe
  void raise() noexcept;

  /// Suspends the current flow until the signal is raised, at most for `longest`. One flow at a
  /// time, in a coroutine; the signal outlives it.
  task<void> wait(duration longest);

 private:
  class alarm;
  class armed;

  std::mutex mutex_;
  bool raised_ = false;       // Guarded by mutex_.
  alarm* waiting_ = nullptr;  // Guarded by mutex_, so that it lives while it is woken.
};

}  // namespace mailroom::metering
