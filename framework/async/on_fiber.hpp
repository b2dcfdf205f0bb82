#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/fiber.hpp>
#include <mailroom/framework/async/flow.hpp>

#include <coroutine>
#include <type_traits>
#include <utility>

namespace mailroom {
namespace async {

/// What is wrong with awaiting once more what is running as `running`, or has run: throws.
[[noreturn]] void fiber_awaited_again(const flow* running);

/// See `on_fiber`.
template <class Function>
class [[nodiscard]] fiber_operation {
  using value = std::remove_cvref_t<std::invoke_result_t<Function&>>;

 public:
  explicit fiber_operation(Function function) : function_(std::move(function)) {}
  fiber_operation(fiber_operation&& other) = default;  // Before it is awaited.
  fiber_operation& operator=(fiber_operation&&) = delete;

  auto operator co_await() noexcept { return awaiter(*this); }

 private:
  class awaiter : public parkable {
   public:
    explicit awaiter(fiber_operation& of) noexcept : of_(of) {}

    /// Runs it until it first waits.
    bool await_ready() {
      flow& here = *current_flow();
      if (of_.begun_) {
        fiber_awaited_again(of_.running_);
      }
      if (here.cancelled) {
        throw_cancelled();
      }
      flow_ = here;
      flow_.how = style::suspending;
      of_.begun_ = true;
      of_.running_ = &flow_;
      flow_.where->fiber_begins();
      const flow_scope scope(&flow_);
      fiber::start(
          [this] {
            detail::run_into(outcome_, of_.function_);
            of_.running_ = nullptr;
            flow_.where->fiber_ends();
            ended_.complete();
          },
          [this](fiber& on) { flow_.on = &on; });
      return ended_.done();
    }
    bool await_suspend(std::coroutine_handle<> continues) {
      return until_ended_.await_suspend(continues);
    }
    value await_resume() { return outcome_.take(); }

   private:
    fiber_operation& of_;
    flow flow_;
    detail::outcome<value> outcome_;
    event ended_;
    detail::ended_even_if_cancelled until_ended_{ended_};
  };

  Function function_;
  bool begun_ = false;
  const flow* running_ = nullptr;
};

}  // namespace async

/// Runs a function that waits implicitly on a fiber, and yields its result to the coroutine that
/// awaits it:
///
///     const int left = co_await mailroom::on_fiber([&] { return old_code(stock, item); });
///
/// In it, `client.call`, `sleep` and `wait` park the fiber, and the coroutine's other branches
/// (`gather`) and other handlers go on. It runs once it is awaited, in turns of the same endpoint,
/// and may refer to what outlives the await. Awaited once: again, it throws std::logic_error; from
/// inside itself, `call_error` with `errc::deadlock`.
///
/// With g++ 12, a lambda that holds what has a destructor needs a name before (see
/// `async::detail::may_be_unnamed`).
template <class Function>
auto on_fiber(Function&& function) {
  return async::fiber_operation<std::decay_t<Function>>(
      async::detail::kept_function<Function>(function));
}

}  // namespace mailroom
