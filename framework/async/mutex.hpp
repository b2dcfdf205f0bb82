#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/line.hpp>

#include <cassert>
#include <coroutine>
#include <mutex>
#include <utility>

namespace mailroom {

/// A lock that handlers hold across what they wait for. Between handlers of one endpoint it keeps
/// together what must not be interleaved; between endpoints, on whatever threads, it protects what
/// they share. First come, first served; who waits takes no thread.
///
///     const auto held = co_await mutex.lock();         // in a coroutine
///     const auto held = mailroom::wait(mutex.lock());  // in a suspending handler
///
/// It outlives whoever waits for it. Not recursive: who locks it twice waits for itself.
/// @threadsafe
class mutex {
 public:
  class guard;
  class lock_operation;

  mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
  ~mutex() { assert(line_.empty()); }

  /// To be awaited; yields a guard. Nothing happens before. Who is cancelled while it waits leaves
  /// the line, unless the lock came first.
  lock_operation lock() noexcept;

  /// At once, in any handler and on any thread: a guard that is empty if somebody has the lock.
  guard try_lock() noexcept;

 private:
  void unlock() noexcept;

  std::mutex state_;   // Held for some instructions only.
  async::line line_;   // Guarded by state_.
  bool held_ = false;  // Guarded by state_.
};

/// Holds a mutex, and unlocks it when it goes, on whatever thread that is.
class [[nodiscard]] mutex::guard {
 public:
  guard() noexcept = default;
  guard(guard&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  guard& operator=(guard&& other) noexcept {
    guard(std::move(other)).swap(*this);
    return *this;
  }
  ~guard() { unlock(); }

  explicit operator bool() const noexcept { return of_ != nullptr; }

  /// Before its time; no more than once counts.
  void unlock() noexcept {
    if (of_ != nullptr) {
      std::exchange(of_, nullptr)->unlock();
    }
  }

 private:
  friend class mutex;
  friend class mutex::lock_operation;
  explicit guard(mutex& held) noexcept : of_(&held) {}
  void swap(guard& other) noexcept { std::swap(of_, other.of_); }

  mutex* of_ = nullptr;
};

/// See `mutex::lock`.
class [[nodiscard]] mutex::lock_operation {
 public:
  explicit lock_operation(mutex& of) noexcept : of_(&of) {}

  auto operator co_await() const noexcept { return awaiter(*of_); }

 private:
  class awaiter final : public async::parkable, private async::line::place {
   public:
    explicit awaiter(mutex& of) noexcept : of_(of) {}

    bool await_ready();
    bool await_suspend(std::coroutine_handle<> continues) { return suspend(continues); }
    guard await_resume();

   private:
    mutex& of_;
  };

  mutex* of_;
};

inline mutex::lock_operation mutex::lock() noexcept {
  return lock_operation(*this);
}

}  // namespace mailroom
