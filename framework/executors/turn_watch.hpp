#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

#include <pthread.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::executors {

class executor;
class turn_mark;
struct statistics;

/// What a turn is about. The layer that knows it fills it in.
struct turn_subject {
  static constexpr std::size_t max_name = 256;

  std::array<char, max_name> name{};  ///< "topic.method".
  std::size_t name_size = 0;          ///< 0: no handler runs.
  std::uint64_t call = 0;             ///< As its caller counts; 0: none.
};

/// A turn that has gone on for longer than it may.
struct stuck_turn {
  std::string executor;
  std::string thread;
  std::string handler;       ///< "topic.method"; empty if none runs, or the turn has just ended.
  std::uint64_t call = 0;    ///< As its caller counts; 0: none.
  duration age{0};           ///< When it was found.
  bool relieved = false;     ///< A spare thread runs other items meanwhile.
  std::vector<void*> stack;  ///< Return addresses, innermost first; empty if the thread gave none.
};

/// Finds turns that do not end. It lives on an event loop that runs no turns; the threads of
/// executors say when each turn began, in marks, which is all that it costs them. While somebody is
/// in a turn it looks at the marks as often as one could have become too old; when two looks, a
/// limit apart, have found nobody, it sleeps, and whoever begins a turn after having rested wakes
/// it.
///
/// The stack of a stuck thread is taken by that thread itself: it is sent a signal, once for each
/// stuck turn (the highest real-time signal that the process does not use). What it waits for in
/// the kernel may end with EINTR then, where SA_RESTART does not help (see signal(7)).
class turn_watch final : private event_loop::source, private timer {
 public:
  struct options {
    duration limit{};  ///< How long a turn may go on; more than zero.
    /// Says what the calling thread's turn is about: in a signal handler, so it must be
    /// async-signal-safe. Null: nobody knows.
    void (*subject)(turn_subject& into) noexcept = nullptr;
    /// Told of each stuck turn once, on a thread `mr-watch` that lives as long as there is
    /// something to tell. May block.
    std::function<void(const stuck_turn&)> report;
    platform* host = &platform::system();
  };

  turn_watch(event_loop& on, options with);
  /// When no executor is left that marks its turns here, and `close` was called or the loop's
  /// thread is gone. Blocks until the last report is made.
  ~turn_watch();

  /// Looks no more. On the loop's thread, or when that is gone.
  void close() noexcept;

 private:
  friend class turn_mark;
  class capture;
  struct found;

  void wake(time_point begun) noexcept;
  void arm(time_point due) noexcept;
  void on_time() noexcept override { loop_.notify(*this); }
  void on_ready() noexcept override;
  bool look(time_point now, time_point& next, std::vector<found>& stuck);
  void hand_over(std::vector<found>& stuck) noexcept;
  void tell() noexcept;
  void tell_of(const found& one, bool wait) noexcept;

  event_loop& loop_;
  const options with_;
  std::atomic<bool> asleep_{true};  // Nobody looks: who begins a turn after a rest wakes it.
  std::atomic<time_point::rep> due_{0};
  bool excused_ = false;  // Loop thread only.
  bool closed_ = false;   // Loop thread only.

  std::mutex marks_mutex_;
  std::vector<turn_mark*> marks_;  // Guarded by marks_mutex_.

  std::mutex untold_mutex_;
  std::vector<found> untold_;  // Guarded by untold_mutex_.
  bool telling_ = false;       // Guarded by untold_mutex_.
  std::thread teller_;         // Loop thread only.
};

/// Where one thread of an executor says since when it has been in a turn. Used by that thread,
/// unless said otherwise. Several may mark one thread, as long as one of them is in a turn.
class turn_mark {
 public:
  /// Both outlive it; `of` may still be under construction. Null: nobody watches.
  turn_mark(turn_watch* by, executor& of);
  ~turn_mark();  ///< As `leave`.
  turn_mark(const turn_mark&) = delete;
  turn_mark& operator=(const turn_mark&) = delete;

  /// From here on it marks the calling thread. Once.
  void enter();
  /// It marks nobody any more. On its thread, or when that has ended.
  void leave() noexcept;

  /// A turn begins.
  void begin(time_point at) noexcept {
    const bool rested = since_.load(std::memory_order_relaxed) == none;
    since_.store(at.time_since_epoch().count(), std::memory_order_relaxed);
    // Relaxed: that the watch falls asleep without having seen this turn is excluded by the time
    // that it takes for it (see `turn_watch::on_ready`).
    if (rested && by_ != nullptr && by_->asleep_.load(std::memory_order_relaxed)) {
      by_->wake(at);
    }
  }
  /// The turn has ended, and no other begins at once.
  void rest() noexcept { since_.store(none, std::memory_order_relaxed); }

  /// @threadsafe
  bool is_stuck() const noexcept;
  /// @threadsafe
  void add_to(statistics& sum) const noexcept;

 private:
  friend class turn_watch;
  static constexpr time_point::rep none = std::numeric_limits<time_point::rep>::max();

  /// How long its turn has gone on; zero in none, and if nobody watches.
  duration age() const noexcept;
  static void on_signal(int number, siginfo_t* info, void* interrupted);

  turn_watch* const by_;
  executor& of_;
  // The beginning of a turn is its identity too: a thread's next one begins when it has ended, and
  // two that began within one reading of the clock are not stuck.
  std::atomic<time_point::rep> since_{none};
  std::atomic<std::uint64_t> reported_turns_{0};
  time_point::rep reported_ = none;  // The watch's.
  pthread_t thread_{};
  std::string thread_name_;
  bool entered_ = false;
  std::atomic<turn_mark*> next_{nullptr};  // Another one of the same thread.
  std::shared_ptr<turn_watch::capture> capture_;
};

}  // namespace mailroom::executors
