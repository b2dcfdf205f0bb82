#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace mailroom {

template <class T>
class task;

namespace async::detail {

/// What promises of all result types share.
///
/// Control comes back by *trampoline*, not by symmetric transfer: g++ 12 makes the transfer a real
/// call without optimisation and under sanitizers, so a loop of awaits that complete at once would
/// overflow the stack. An awaiting coroutine resumes its child itself and goes on if the child is
/// done; only a child that really suspended resumes its parent from its final suspend point.
class promise_base {
 public:
  static std::suspend_always initial_suspend() noexcept { return {}; }

  struct final_awaiter {
    static bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      promise_base& promise = ended.promise();
      if (promise.parent_suspended_) {
        promise.parent_.resume();
      }
    }
    static void await_resume() noexcept {}
  };
  static final_awaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept { thrown_ = std::current_exception(); }

  void set_parent(std::coroutine_handle<> parent) {
    if (parent_) {
      throw std::logic_error("awaited twice: a task runs once, for one that awaits it");
    }
    parent_ = parent;
  }
  void parent_suspends() noexcept { parent_suspended_ = true; }

 protected:
  void rethrow() const {
    if (thrown_) {
      std::rethrow_exception(thrown_);
    }
  }

 private:
  std::coroutine_handle<> parent_;
  bool parent_suspended_ = false;
  std::exception_ptr thrown_;
};

template <class T>
class promise final : public promise_base {
 public:
  task<T> get_return_object() noexcept;

  template <class U>
    requires std::is_convertible_v<U&&, T>
  void return_value(U&& value) { value_.emplace(std::forward<U>(value)); }
  T take() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class promise<void> final : public promise_base {
 public:
  task<void> get_return_object() noexcept;
  static void return_void() noexcept {}
  void take() const { rethrow(); }
};

}  // namespace async::detail

namespace async {

/// False for what must have a name before a statement with a `co_await` uses it: see `task`. `Arg`
/// is an argument's type as deduced for `Arg&&`. It also refuses what a function returned, which
/// would be safe but looks the same from here.
template <class Arg>
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool may_be_braced =
    std::is_reference_v<Arg> || !std::is_aggregate_v<Arg> || std::is_trivially_destructible_v<Arg>;
#else
inline constexpr bool may_be_braced = true;
#endif

}  // namespace async

/// A coroutine that yields a T: runs when it is awaited, in turns of the actor that awaits it. Owns
/// its frame; awaited once, a second `co_await` throws std::logic_error. One thread at a time: the
/// turns may come on different threads, but never two at once, so what it uses needs no lock.
/// Arguments of a coroutine should be values: references must outlive the await.
///
/// With g++ 12, a statement with a `co_await` must not build by braces an aggregate, nor a lambda
/// by capture, whose members have something to destroy: `co_await f(order{.item = "bolt"})`
/// destroys `item` twice (GCC bug 99576, fixed in 13). Give it a name in a statement before.
/// Members that own nothing, classes with constructors and what functions return are safe.
template <class T = void>
class [[nodiscard]] task {
 public:
  using promise_type = async::detail::promise<T>;
  using value_type = T;

  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  task(task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  task& operator=(task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~task() {
    if (frame_) {
      frame_.destroy();
    }
  }

  static bool await_ready() noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) {
    auto& promise = frame_.promise();
    promise.set_parent(parent);
    frame_.resume();
    if (frame_.done()) {
      return false;
    }
    promise.parent_suspends();
    return true;
  }
  T await_resume() { return frame_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> frame_;
};

namespace async::detail {

template <class T>
task<T> promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}

inline task<void> promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

}  // namespace async::detail

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

}  // namespace mailroom
