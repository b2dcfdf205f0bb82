#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/ref.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

// What is awaited: of which type its value is, and how to keep how it ended.

namespace mailroom::async::detail {

/// A coroutine that nobody awaits; it frees itself.
struct detached {
  struct promise_type {
    static detached get_return_object() noexcept { return {}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_never final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    static void unhandled_exception() noexcept { std::terminate(); }
  };
};

struct nothing {};

template <class Awaitable>
decltype(auto) awaiter_of(Awaitable&& what) {
  if constexpr (requires { std::forward<Awaitable>(what).operator co_await(); }) {
    return std::forward<Awaitable>(what).operator co_await();
  } else {
    return std::forward<Awaitable>(what);
  }
}

/// The value of an awaited lvalue.
template <class Awaitable>
using awaited =
    std::remove_cvref_t<decltype(awaiter_of(std::declval<Awaitable&>()).await_resume())>;
template <class T>
using kept = std::conditional_t<std::is_void_v<T>, nothing, T>;

/// How something ended: with a value, or by an exception.
template <class T>
class outcome {
 public:
  template <class... Value>
  void succeed(Value&&... value) {
    value_.emplace(std::forward<Value>(value)...);
    there_ = true;
  }
  void fail(std::exception_ptr thrown) noexcept { thrown_ = std::move(thrown); }

  /// The value, once; or the exception is thrown on. Throws std::logic_error when it has gone.
  T take() {
    if (thrown_) {
      std::rethrow_exception(std::exchange(thrown_, nullptr));
    }
    if (!std::exchange(there_, false)) {
      throw std::logic_error("awaited twice: the value was given to who awaited it first");
    }
    if constexpr (!std::is_void_v<T>) {
      return *std::move(value_);
    }
  }

 private:
  std::optional<kept<T>> value_;
  std::exception_ptr thrown_;
  bool there_ = false;
};

/// Runs `function` and keeps how it ended.
template <class T, class Function>
void run_into(outcome<T>& into, Function& function) noexcept {
  try {
    if constexpr (std::is_void_v<T>) {
      function();
      into.succeed();
    } else {
      into.succeed(function());
    }
  } catch (...) {
    into.fail(std::current_exception());
  }
}

/// `co_await ended_even_if_cancelled(completion)`: for what ends by itself, and refers to the
/// frame that waits for it.
class ended_even_if_cancelled : public parkable {
 public:
  explicit ended_even_if_cancelled(completion& what) noexcept : what_(what) {}
  bool await_ready() const noexcept { return what_.done(); }
  bool await_suspend(std::coroutine_handle<> continues) {
    waiter_.prepare(*current_flow(), continues);
    waiter_.shield();
    return what_.attach(waiter_);
  }
  static void await_resume() noexcept {}

 private:
  completion& what_;
  waiter waiter_;
};

/// Awaits what is shared with whoever completes it, and takes its outcome (`take`).
template <class Shared>
class shared_awaiter : public parkable {
 public:
  explicit shared_awaiter(ref<Shared> shared) noexcept
      : shared_(std::move(shared)), until_(*shared_) {}
  bool await_ready() const { return until_.await_ready(); }
  bool await_suspend(std::coroutine_handle<> continues) { return until_.await_suspend(continues); }
  decltype(auto) await_resume() {
    until_.await_resume();
    return shared_->take();
  }

 private:
  ref<Shared> shared_;
  until until_;
};

/// False for a function object that must have a name before a statement with a `co_await` uses it:
/// g++ 12 destroys what a lambda holds twice there (GCC bug 99576, fixed in 13). `Arg` is an
/// argument's type as deduced for `Arg&&`.
template <class Arg>
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool may_be_unnamed =
    std::is_reference_v<Arg> || std::is_trivially_destructible_v<Arg> ||
    std::is_copy_assignable_v<Arg> || std::is_move_assignable_v<Arg> ||
    std::is_default_constructible_v<Arg>;
#else
inline constexpr bool may_be_unnamed = true;
#endif

/// A function object as an operation keeps it: moved, or copied where it has a name; one that
/// cannot be copied is moved out of its name.
template <class Arg>
std::decay_t<Arg> kept_function(std::remove_reference_t<Arg>& function) {
  static_assert(may_be_unnamed<Arg>,
                "g++ 12 destroys what a lambda holds twice in a statement with a co_await: give "
                "the lambda a name before, and pass the name");
  if constexpr (std::is_lvalue_reference_v<Arg> &&
                std::is_copy_constructible_v<std::decay_t<Arg>>) {
    return function;
  } else {
    return std::move(function);
  }
}

}  // namespace mailroom::async::detail
