#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/platform.hpp>

#include <cstddef>
#include <memory>

namespace mailroom::executors {

/// Threads that may block, `mr-block-0` and on: for handlers and functions that wait in ways that
/// no executor knows. As many as run at once are made when they are first needed, up to a bound;
/// what is over it waits in a queue. Not an executor: a job runs once, to its end.
/// @threadsafe
class blocking_pool {
 public:
  /// Something to be run once. It lives until `run` or `dropped` is called, and frees itself.
  class job {
   public:
    job() noexcept = default;
    job(const job&) = delete;
    job& operator=(const job&) = delete;

    /// On a thread of the pool, which it may block.
    virtual void run() noexcept = 0;

    /// Instead of `run`: the pool stops before its turn, or has no thread and cannot start one. On
    /// the thread of `submit` or `stop`.
    virtual void dropped() noexcept = 0;

   protected:
    virtual ~job() = default;  // Virtual, since the pool is a friend and could delete one.

   private:
    friend class blocking_pool;
    job* before_ = nullptr;  // In the queue. Guarded by its mutex, as the rest.
    job* after_ = nullptr;
    bool queued_ = false;
  };

  struct figures {
    std::size_t threads = 0;
    std::size_t running = 0;  ///< Jobs.
    std::size_t queued = 0;   ///< Jobs.
  };

  /// What Python's asyncio takes: four more than there are cores, 32 at most.
  static std::size_t usual_bound() noexcept;

  /// No thread before the first job. `bound` 0: the usual.
  explicit blocking_pool(std::size_t bound, platform& host = platform::system());
  /// Stops without waiting.
  ~blocking_pool();
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Runs `one` on a thread of the pool, after those submitted before it.
  void submit(job& one) noexcept;

  /// True: `one` had not begun and will not; it is the caller's again. False: it runs or has run.
  bool take_back(job& one) noexcept;

  /// Whether the calling thread is one of this pool's.
  bool on_own_thread() const noexcept;

  /// Drops what is queued and waits for what runs, until `until`. Returns how many jobs still run:
  /// their threads are left to themselves, and end after them. Not from a thread of the pool; what
  /// is submitted afterwards is dropped.
  std::size_t stop(time_point until);

  figures stats() const;

 private:
  class shared;
  std::shared_ptr<shared> shared_;  // With the threads, which may outlive this.
};

}  // namespace mailroom::executors
