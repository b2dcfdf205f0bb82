#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/base/result.hpp>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <utility>

namespace mailroom {

template <class T>
class promise;

namespace async {

/// What a promise and its future share.
template <class T>
class promised final : public completion, public ref_counted<promised<T>> {
 public:
  /// False: it has been kept before.
  bool keep(result<T> with) noexcept {
    if (kept_.exchange(true, std::memory_order_acq_rel)) {
      return false;
    }
    outcome_.emplace(std::move(with));
    complete();
    return true;
  }
  result<T> take() {
    if (!outcome_) {
      throw std::logic_error("awaited twice: the value was given to who awaited it first");
    }
    return *std::exchange(outcome_, std::nullopt);
  }

 private:
  std::atomic<bool> kept_{false};
  std::optional<result<T>> outcome_;
};

}  // namespace async

/// What a handler waits for that somebody else makes happen, anywhere in the process: a driver's
/// callback, a thread, another handler. `result<T>` is its value, once:
///
///     auto row = co_await answer;              // in suspending handlers: mailroom::wait(answer)
///
/// `errc::cancelled` if its promise went without having been kept. It may be awaited before or
/// after that, by one, once (std::logic_error); who is cancelled while it waits may let it go.
template <class T>
class [[nodiscard]] future {
 public:
  bool is_ready() const noexcept { return shared_->done(); }

  auto operator co_await() const noexcept {
    return async::detail::shared_awaiter<async::promised<T>>(shared_);
  }

 private:
  friend class promise<T>;
  explicit future(ref<async::promised<T>> shared) noexcept : shared_(std::move(shared)) {}

  ref<async::promised<T>> shared_;
};

/// The other end of a `future`: whoever has it gives the value, or the error, on any thread. It
/// does not block, and may be moved from thread to thread; one thread at a time uses it. One that
/// was moved from may only be assigned to, or go.
template <class T>
class promise {
 public:
  promise() : shared_(make_ref<async::promised<T>>()) {}
  promise(promise&&) noexcept = default;
  promise& operator=(promise&& other) noexcept {
    promise taken(std::move(other));
    std::swap(shared_, taken.shared_);
    std::swap(given_, taken.given_);
    return *this;  // And what was to be kept here is dropped.
  }
  ~promise() {
    if (shared_) {
      shared_->keep(error(errc::cancelled, "the promise was dropped: nobody gives the value"));
    }
  }

  /// Once: a value has one taker (std::logic_error).
  future<T> get_future() {
    if (std::exchange(given_, true)) {
      throw std::logic_error("get_future twice: a promise has one future");
    }
    return future<T>(shared_);
  }

  /// The first counts; false: it had been kept before.
  bool set(result<T> outcome) noexcept { return shared_->keep(std::move(outcome)); }

 private:
  ref<async::promised<T>> shared_;
  bool given_ = false;
};

}  // namespace mailroom
