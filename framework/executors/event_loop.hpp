#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/descriptor_watch.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace mailroom::executors {

/// One thread that waits for descriptors, timers and other threads, and runs what is ready. It
/// never polls: with nothing to do it sleeps in the kernel, and it is woken only if it sleeps.
///
/// Work is done by *sources*. A source that has something to do is made `ready` and is called once
/// for it, in the next pass of its phase: input (drain sockets), then work (turns of actors), then
/// output (flush what was written). That order is what lets everything that one pass produced leave
/// as one batch.
class event_loop {
 public:
  enum class phase : std::uint8_t { input, work, output };

  /// Something that can have work for the loop's thread. Must be forgotten (`forget`) before it
  /// dies.
  class source {
   public:
    explicit source(phase when) noexcept : phase_(when) {}
    source(const source&) = delete;
    source& operator=(const source&) = delete;

    /// Called on the loop's thread once after any number of `ready` and `notify`. Does a bounded
    /// amount of work; if more is left it makes itself ready again. Must not throw.
    virtual void on_ready() noexcept = 0;

   protected:
    virtual ~source() = default;

   private:
    friend class event_loop;
    std::atomic<bool> notified_{false};  // Sits in the loop's remote list.
    bool ready_ = false;                 // Sits in its phase's list. Loop thread only.
    phase phase_;
    source* next_notified_ = nullptr;
  };

  /// `thread_name` as in `mr-loop-0`, `mr-ctl`. No thread exists before `start`.
  event_loop(std::string thread_name, platform& host);
  ~event_loop();

  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// Starts the thread. Called once.
  void start();

  /// Ends the thread after what is ready has run once more. Blocks until it ended; not from the
  /// loop's thread. Timers still armed never fire. Does nothing the second time.
  void stop();

  /// Whether its thread exists: after `start` and until `stop` has ended it.
  /// @threadsafe
  bool is_running() const noexcept;

  /// The asio context behind it, for descriptors and resolvers. Handlers run on the loop's thread.
  boost::asio::io_context& io() noexcept;

  /// The loop whose thread calls; null on all other threads.
  static event_loop* current() noexcept;

  /// @threadsafe
  bool on_loop_thread() const noexcept { return current() == this; }

  /// The time at the beginning of the current pass; cheap. Loop thread only.
  time_point now() const noexcept;

  /// Has `s.on_ready()` called in its phase: in this pass if that phase is still to come, else in
  /// the next. Calling it often costs nothing more. Loop thread only, or before `start`.
  void ready(source& s) noexcept {
    if (!s.ready_) {
      append_ready(s);
    }
  }

  /// The same from any thread: wakes the loop if it sleeps. Lock-free unless it sleeps.
  /// @threadsafe
  void notify(source& s) noexcept;

  /// After it returned, `s.on_ready()` is not called again; nobody may `notify` it at the same time
  /// or later. Loop thread only, or when no loop thread exists (before `start`, after `stop`).
  void forget(source& s) noexcept;

  /// Runs `task` on the loop's thread soon (in phase input), in order. For rare things: it
  /// allocates and locks. It must not throw. Tasks posted after `stop` are destroyed unrun.
  /// @threadsafe
  void post(std::function<void()> task);

  /// As `executor::arm` and `executor::cancel`.
  /// @threadsafe
  void arm(timer& t, time_point due) noexcept;
  void cancel(timer& t) noexcept;

  /// As `watch_set::begin` and `watch_set::end`. Who still watches when the loop has stopped is
  /// never told; all watches end before the loop goes.
  /// @threadsafe
  std::error_code watch(descriptor_watch& w, int descriptor, readiness what);
  void unwatch(descriptor_watch& w) noexcept;

  struct statistics {
    std::uint64_t passes = 0;
    std::uint64_t sleeps = 0;
    std::uint64_t wakeups = 0;  ///< Wake-ups that another thread had to make.
    std::size_t watched = 0;    ///< Descriptors that are watched now.
    bool asleep = false;        ///< It has nothing to do.
  };
  /// @threadsafe
  statistics stats() const noexcept;

 private:
  class impl;

  void append_ready(source& s) noexcept;

  std::unique_ptr<impl> impl_;
};

}  // namespace mailroom::executors
