#pragma once

#include <mailroom/framework/async/fiber.hpp>
#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace mailroom::tests {

// ThreadSanitizer can tell at most 8128 threads and fibers apart.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool under_tsan = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool under_tsan = true;
#else
inline constexpr bool under_tsan = false;
#endif
#else
inline constexpr bool under_tsan = false;
#endif

/// A home whose turns the test gives by hand, with a clock that stands still until it is moved.
class hand_home final : public async::home {
 public:
  ~hand_home() override = default;

  void post(async::work& todo) noexcept override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(&todo);
    changed_.notify_all();
  }
  void arm(executors::timer& t, time_point due) noexcept override { timers_.arm(t, due); }
  void cancel(executors::timer& t) noexcept override { executors::timer_queue::cancel(t); }
  time_point now() const noexcept override { return now_; }
  void fiber_begins() noexcept override { ++fibers; }
  void fiber_ends() noexcept override { --fibers; }
  void hold() noexcept override { ++held; }
  void let_go() noexcept override { --held; }

  int fibers = 0;
  int held = 0;

  /// Runs one piece of work, if there is one.
  bool run_one() {
    async::work* next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (posted_.empty()) {
        return false;
      }
      next = posted_.front();
      posted_.pop_front();
    }
    next->run();
    return true;
  }
  std::size_t run_all() {
    std::size_t ran = 0;
    while (run_one()) {
      ++ran;
    }
    return ran;
  }
  /// Waits for work from another thread and runs it.
  void wait_and_run() {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !posted_.empty(); });
    }
    run_all();
  }

  void pass(duration time) {
    now_ += time;
    timers_.fire(now_);
    run_all();
  }
  std::size_t armed() const { return timers_.size(); }

  /// Ends everything that waits.
  void end() {
    cancel_waiting();
    run_all();
  }
  using home::anything_waiting;

 private:
  executors::timer_queue timers_;
  time_point now_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<async::work*> posted_;  // Guarded by mutex_.
};

/// Goes on in a later piece of work of the same home.
inline task<void> next_turn(hand_home& at) {
  struct posted final : async::work {
    async::event passed;
    void run() noexcept override { passed.complete(); }
  } later;
  at.post(later);
  co_await async::until(later.passed);
}

/// Two threads that begin each round together, without a lock that would order them.
class starting_line {
 public:
  void meet(int round) {
    arrived_.fetch_add(1, std::memory_order_relaxed);
    // At first without giving the processor away, so that both really go on together.
    for (int looks = 0; arrived_.load(std::memory_order_relaxed) < 2 * (round + 1); ++looks) {
      if (looks > 2000) {
        std::this_thread::yield();
      }
    }
  }

 private:
  std::atomic<int> arrived_{0};
};

/// One flow of a hand_home. Outlives what it runs.
class hand_flow {
 public:
  explicit hand_flow(hand_home& at) {
    flow_.where = &at;
    flow_.name = "test.flow";
  }

  /// Runs `body` as a coroutine until it first waits.
  void start_coroutine(std::function<task<void>()> body) {
    flow_.how = async::style::coroutine;
    const async::flow_scope scope(&flow_);
    run(*this, std::move(body));
  }
  /// The same on a fiber.
  void start_fiber(std::function<void()> body) {
    flow_.how = async::style::suspending;
    const async::flow_scope scope(&flow_);
    async::fiber::start(
        [this, body = std::move(body)] {
          try {
            body();
          } catch (...) {
            thrown = std::current_exception();
          }
          ended = true;
        },
        [this](async::fiber& on) { flow_.on = &on; });
  }

  async::flow& flow() noexcept { return flow_; }

  bool was_cancelled() const {
    try {
      if (thrown) {
        std::rethrow_exception(thrown);
      }
    } catch (const async::flow_cancelled&) {
      return true;
    }
    return false;
  }

  bool ended = false;
  std::exception_ptr thrown;

 private:
  static async::detail::detached run(hand_flow& self, std::function<task<void>()> body) {
    try {
      co_await body();
    } catch (...) {
      self.thrown = std::current_exception();
    }
    self.ended = true;
  }

  async::flow flow_;
};

/// Counts how often it is destroyed: did the frame that held it unwind?
struct witness {
  explicit witness(int& count) noexcept : gone(&count) {}
  witness(witness&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
  witness& operator=(witness&&) = delete;
  ~witness() {
    if (gone != nullptr) {
      ++*gone;
    }
  }
  int* gone;
};

/// Waits for `what`; yields `value`. `unwound` counts the frames that ended, however they did.
inline task<int> value_after(async::event& what, int value, int* unwound = nullptr) {
  int ignored = 0;
  const witness frame(unwound != nullptr ? *unwound : ignored);
  co_await async::until(what);
  co_return value;
}

}  // namespace mailroom::tests
