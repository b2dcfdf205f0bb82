#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/line.hpp>
#include <mailroom/framework/base/result.hpp>

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace mailroom {

/// Values on their way from handlers to handlers, of one endpoint or of several, on whatever
/// threads: a queue with room for `capacity`, in which both ends wait. With capacity 0 a value goes
/// from hand to hand. Values are received in the order in which they were sent; who waits is served
/// in the order of its coming, and takes no thread.
///
///     auto sent = co_await jobs.send(job);                              // waits while it is full
///     while (auto job = co_await jobs.receive()) { work_on(*job); }     // waits while it is empty
///
/// In suspending handlers `mailroom::wait(jobs.receive())`. It outlives whoever waits at it.
/// @threadsafe
template <class T>
class channel {
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "a value that cannot be moved without fail could be lost between two hands");

 public:
  class send_operation;
  class receive_operation;

  explicit channel(std::size_t capacity) noexcept : capacity_(capacity) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel() { assert(senders_.empty() && receivers_.empty()); }

  /// To be awaited: `result<void>`. `errc::cancelled` once the channel is closed. Nothing happens
  /// before it is awaited. Who is cancelled while it waits has not sent.
  send_operation send(T value) { return send_operation(*this, std::move(value)); }

  /// To be awaited: `result<T>`. `errc::cancelled` once it is closed and empty. Who is cancelled
  /// while it waits has taken nothing.
  receive_operation receive() noexcept { return receive_operation(*this); }

  /// At once, in any handler and on any thread. False: it is full, or closed, and `value` is as it
  /// was.
  bool try_send(T&& value) {
    const std::lock_guard lock(state_);
    return !closed_ && pass_on(value);
  }
  bool try_send(const T& value) {
    T copy(value);
    return try_send(std::move(copy));
  }
  /// At once; nothing if nothing is there.
  std::optional<T> try_receive() {
    const std::lock_guard lock(state_);
    return take();
  }

  /// No more is sent, and who waits is told; what is in it can still be received.
  void close() noexcept {
    const std::lock_guard lock(state_);
    closed_ = true;
    for (auto* waiting : {&senders_, &receivers_}) {
      while (auto* each = waiting->first()) {
        waiting->leave(*each);
        each->complete();
      }
    }
  }

  bool is_closed() const noexcept {
    const std::lock_guard lock(state_);
    return closed_;
  }
  /// Values in it now.
  std::size_t size() const noexcept {
    const std::lock_guard lock(state_);
    return values_.size();
  }

 private:
  struct sender : async::line::place {
    explicit sender(T& sent) noexcept : value(sent) {}
    T& value;
    bool taken = false;
  };
  struct receiver : async::line::place {
    std::optional<T> value;
  };

  // False: there is no room. Under state_.
  bool pass_on(T& value) {
    if (auto* to = static_cast<receiver*>(receivers_.first())) {
      receivers_.leave(*to);
      to->value.emplace(std::move(value));
      to->complete();
      return true;
    }
    if (values_.size() < capacity_) {
      values_.push_back(std::move(value));
      return true;
    }
    return false;
  }

  // The oldest, and the room to who waits for it. Under state_.
  std::optional<T> take() {
    std::optional<T> taken;
    if (!values_.empty()) {
      taken.emplace(std::move(values_.front()));
      values_.pop_front();
    }
    if (auto* from = static_cast<sender*>(senders_.first())) {
      senders_.leave(*from);
      if (taken) {
        values_.push_back(std::move(from->value));
      } else {
        taken.emplace(std::move(from->value));
      }
      from->taken = true;
      from->complete();
    }
    return taken;
  }

  static error closed() { return error(errc::cancelled, "the channel is closed"); }

  const std::size_t capacity_;
  mutable std::mutex state_;  // Held for some instructions only.
  std::deque<T> values_;      // Guarded by state_.
  async::line senders_;       // Wait only while it is full. Guarded by state_.
  async::line receivers_;     // Wait only while it is empty. Guarded by state_.
  bool closed_ = false;       // Guarded by state_.
};

/// See `channel::send`. Awaited once, since its value goes.
template <class T>
class [[nodiscard]] channel<T>::send_operation {
 public:
  send_operation(channel& to, T value) noexcept : to_(&to), value_(std::move(value)) {}

  auto operator co_await() noexcept { return awaiter(*to_, value_); }

 private:
  class awaiter final : public async::parkable, private sender {
   public:
    awaiter(channel& to, T& sent) noexcept : sender(sent), to_(to) {}

    bool await_ready() {
      this->throw_if_cancelled();
      const std::lock_guard lock(to_.state_);
      if (to_.closed_) {
        return true;
      }
      if (to_.pass_on(this->value)) {
        return this->taken = true;
      }
      to_.senders_.enter(*this);
      return false;
    }
    bool await_suspend(std::coroutine_handle<> continues) { return this->suspend(continues); }
    result<void> await_resume() {
      if (this->was_cancelled()) {
        const std::lock_guard lock(to_.state_);
        if (this->waits()) {
          to_.senders_.leave(*this);
          throw async::flow_cancelled{};
        }
      }
      return this->taken ? result<void>() : closed();
    }

   private:
    channel& to_;
  };

  channel* to_;
  T value_;
};

/// See `channel::receive`.
template <class T>
class [[nodiscard]] channel<T>::receive_operation {
 public:
  explicit receive_operation(channel& from) noexcept : from_(&from) {}

  auto operator co_await() const noexcept { return awaiter(*from_); }

 private:
  class awaiter final : public async::parkable, private receiver {
   public:
    explicit awaiter(channel& from) noexcept : from_(from) {}

    bool await_ready() {
      this->throw_if_cancelled();
      const std::lock_guard lock(from_.state_);
      this->value = from_.take();
      if (this->value || from_.closed_) {
        return true;
      }
      from_.receivers_.enter(*this);
      return false;
    }
    bool await_suspend(std::coroutine_handle<> continues) { return this->suspend(continues); }
    result<T> await_resume() {
      if (this->was_cancelled()) {
        const std::lock_guard lock(from_.state_);
        if (this->waits()) {
          from_.receivers_.leave(*this);
          throw async::flow_cancelled{};
        }
      }
      return this->value ? result<T>(*std::move(this->value)) : result<T>(closed());
    }

   private:
    channel& from_;
  };

  channel* from_;
};

}  // namespace mailroom
