#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/part.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/async/wait.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/base/result.hpp>

#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace mailroom {
namespace async::detail {

/// A T that may not come in time. What is a result anyway stays one.
template <class T>
using in_time = std::conditional_t<is_result<T>, T, result<T>>;

/// Completes something at a point in time.
class alarm final : public executors::timer {
 public:
  alarm(home& at, completion& rings) noexcept : at_(at), rings_(rings) {}
  ~alarm() { at_.cancel(*this); }
  void set(time_point due) noexcept { at_.arm(*this, due); }
  void on_time() noexcept override { rings_.complete(); }

 private:
  home& at_;
  completion& rings_;
};

/// What is waited for until it ends or `enough` is completed; then it is cancelled where it waits.
template <class Awaitable>
class limited {
 public:
  explicit limited(Awaitable& what)
      : here_(*current_flow()), inside_(*here_.where), part_(what, inside_, here_) {}

  home& where() const noexcept { return *here_.where; }
  completion& enough() noexcept { return enough_; }

  /// The value, or the exception, or nothing if it was cancelled for `enough`.
  task<std::optional<in_time<awaited<Awaitable>>>> end() {
    if (enough_.done()) {
      co_return std::nullopt;
    }
    part_.start(&enough_);
    try {
      co_await until(enough_);
    } catch (const flow_cancelled&) {
      // The same is thrown where the part waits, and comes back from there.
    }
    if (!part_.ended().done()) {
      inside_.cancel_waiting();
      co_await ended_even_if_cancelled(part_.ended());
    }
    try {
      if constexpr (std::is_void_v<awaited<Awaitable>>) {
        part_.take();
        co_return result<void>();
      } else {
        co_return part_.take();
      }
    } catch (const flow_cancelled&) {
      if (here_.cancelled) {
        throw;
      }
    }
    co_return std::nullopt;
  }

 private:
  flow& here_;
  nested_home inside_;
  event enough_;
  part<Awaitable> part_;
};

/// What `shield` protects; shared by who waits for it and, until it ends, by itself.
template <class Awaitable>
class shielded final : public ref_counted<shielded<Awaitable>> {
 public:
  shielded(Awaitable&& what, const flow& like)
      : what_(std::move(what)), where_(like.where->root()), part_(what_, where_, like) {}

  void start() { part_.start(nullptr, owner(ref<shielded>(this))); }
  completion& ended() noexcept { return part_.ended(); }
  awaited<Awaitable> take() { return part_.take(); }

 private:
  class owner {
   public:
    explicit owner(ref<shielded> running) noexcept : of_(std::move(running)) { of_->where_.hold(); }
    owner(owner&& other) noexcept = default;
    owner& operator=(owner&&) = delete;
    ~owner() {
      if (of_) {
        of_->where_.let_go();
      }
    }

   private:
    ref<shielded> of_;
  };

  Awaitable what_;
  home& where_;
  part<Awaitable> part_;
};

}  // namespace async::detail

/// Waits for a call, a task, a lock, a channel, for no longer than `timeout`: then it is cancelled
/// (a task is resumed with `flow_cancelled` where it waits, and unwinds; a lock or channel is left;
/// an answer is dropped) and the result is `errc::expired`. A value that comes in spite of that is
/// yielded. What is a `result<T>` already is not wrapped once more.
///
///     auto held = co_await mailroom::wait_for(mutex.lock(), 100ms);
///
/// (asyncio.wait_for)
template <class Awaitable>
task<async::detail::in_time<async::detail::awaited<Awaitable>>> wait_for(Awaitable what,
                                                                         duration timeout) {
  async::detail::limited<Awaitable> inside(what);
  async::detail::alarm limit(inside.where(), inside.enough());
  limit.set(later(inside.where().now(), timeout));
  auto came = co_await inside.end();
  if (!came) {
    co_return error(errc::expired, "it did not come within the time that wait_for was given");
  }
  co_return *std::move(came);
}

/// The same until `stop` is requested, on whatever thread: then the result is `errc::cancelled`.
template <class Awaitable>
task<async::detail::in_time<async::detail::awaited<Awaitable>>> wait_for(Awaitable what,
                                                                         std::stop_token stop) {
  async::detail::limited<Awaitable> inside(what);
  const std::stop_callback requested(stop, [&inside]() noexcept { inside.enough().complete(); });
  auto came = co_await inside.end();
  if (!came) {
    co_return error(errc::cancelled, "a stop was requested before it came");
  }
  co_return *std::move(came);
}

/// `wait` with a limit, for suspending handlers.
template <class Awaitable, class Limit>
auto wait(Awaitable&& what, Limit limit) {
  return wait(wait_for(std::forward<Awaitable>(what), std::move(limit)));
}

/// Protects what is awaited from the end of who awaits it: a `wait_for` that has had enough, or a
/// stop, leaves it, and it goes on to its own end; what it comes to is dropped. It must not refer
/// to the frame that awaits it. Only the end of its endpoint ends it. (asyncio.shield)
template <class Awaitable>
task<async::detail::awaited<Awaitable>> shield(Awaitable what) {
  const auto kept =
      make_ref<async::detail::shielded<Awaitable>>(std::move(what), *async::current_flow());
  kept->start();
  co_await async::until(kept->ended());
  co_return kept->take();
}

}  // namespace mailroom
