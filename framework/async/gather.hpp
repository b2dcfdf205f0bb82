#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/task.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace mailroom {
namespace async::detail {

/// What the branches of one gather share; it lives in the gathering frame, which outlives them.
class gathering {
 public:
  explicit gathering(std::size_t branches) noexcept : left_(branches) {}

  void ended(std::exception_ptr thrown) noexcept {
    if (thrown && !first_) {
      first_ = std::move(thrown);
    }
    if (--left_ == 0) {
      all_.complete();
    }
  }

  /// Waits for all branches even when the flow is cancelled: their frames refer to this one.
  bool await_ready() const noexcept { return all_.done(); }
  bool await_suspend(std::coroutine_handle<> continues) {
    waiter_.prepare(*current_flow(), continues);
    waiter_.shield();
    return all_.attach(waiter_);
  }
  void await_resume() const {
    if (first_) {
      std::rethrow_exception(first_);
    }
  }

 private:
  event all_;
  waiter waiter_;
  std::exception_ptr first_;
  std::size_t left_;
};

template <class Awaitable>
detached branch(Awaitable& what, std::optional<kept<awaited<Awaitable>>>& into, gathering& all) {
  std::exception_ptr thrown;
  try {
    if constexpr (std::is_void_v<awaited<Awaitable>>) {
      co_await what;
      into.emplace();
    } else {
      into.emplace(co_await what);
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  all.ended(std::move(thrown));
}

}  // namespace async::detail

/// Awaits all at once (tasks, calls), interleaved in turns of one actor, and yields their values
/// when the last has ended. If any threw, the first exception is thrown on, also only when all have
/// ended. Awaited in a coroutine of that actor, on its thread of the moment. (asyncio.gather; void
/// becomes a placeholder.)
template <class... Awaitables>
task<std::tuple<async::detail::kept<async::detail::awaited<Awaitables>>...>> gather(
    Awaitables... what) {
  std::tuple<std::optional<async::detail::kept<async::detail::awaited<Awaitables>>>...> values;
  async::detail::gathering all(sizeof...(Awaitables));
  if constexpr (sizeof...(Awaitables) > 0) {
    std::apply([&](auto&... value) { (async::detail::branch(what, value, all), ...); }, values);
    co_await all;
  }
  co_return std::apply([](auto&... value) { return std::make_tuple(std::move(*value)...); },
                       values);
}

/// The same for any number of one kind.
template <class Awaitable>
task<std::vector<async::detail::kept<async::detail::awaited<Awaitable>>>> gather(
    std::vector<Awaitable> what) {
  using value_type = async::detail::kept<async::detail::awaited<Awaitable>>;
  std::vector<std::optional<value_type>> values(what.size());
  if (!what.empty()) {
    async::detail::gathering all(what.size());
    for (std::size_t i = 0; i < what.size(); ++i) {
      async::detail::branch(what[i], values[i], all);
    }
    co_await all;
  }
  std::vector<value_type> gathered;
  gathered.reserve(values.size());
  for (auto& value : values) {
    gathered.push_back(std::move(*value));
  }
  co_return gathered;
}

}  // namespace mailroom
