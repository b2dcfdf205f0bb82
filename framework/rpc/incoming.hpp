#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <cstddef>
#include <exception>
#include <span>
#include <utility>

namespace mailroom::rpc {

/// A started call, which must be answered once: whoever holds it answers it, and a held call that
/// is dropped answers itself with `errc::abandoned`. Moves with the handler; used on turns of its
/// activation.
class incoming {
 public:
  /// A call of `batch`. Borrows the caller: whoever keeps a call beyond the batch that it came in
  /// keeps the caller too.
  incoming(activation& at, const call_batch& batch, const arrived_call& what) noexcept
      : at_(&at),
        from_(batch.from().get()),
        until_(what.until),
        id_(what.id),
        what_(what.what),
        within_(batch.chain_of(what)),
        key_(batch.key_of(what)),
        open_(true),
        wants_answer_(what.wants_answer),
        priority_(what.priority) {}
  incoming(incoming&& other) noexcept
      : at_(other.at_),
        from_(other.from_),
        until_(other.until_),
        id_(other.id_),
        what_(other.what_),
        within_(std::move(other.within_)),
        key_(std::move(other.key_)),
        open_(std::exchange(other.open_, false)),
        wants_answer_(other.wants_answer_),
        priority_(other.priority_) {}
  incoming& operator=(incoming&&) = delete;
  ~incoming() {
    if (open_) {
      abandon();
    }
  }

  /// Answers with a value; nil for none. A value that cannot be packed or is too large becomes a
  /// failure.
  template <class T>
  void answer(const T& value) noexcept {
    if (!begin_answer()) {
      return;
    }
    auto& batch = open_answer();
    try {
      wire::pack(batch.bytes(), value);
    } catch (...) {
      batch.drop();
      fail_with_current_exception();
      return;
    }
    finish_answer(batch);
  }
  void answer() noexcept { answer(msgpack::type::nil_t{}); }

  template <class T>
  void answer(const result<T>& value) noexcept {
    if (!value) {
      fail(ran_and_failed(value.error()));
    } else if constexpr (std::is_void_v<T>) {
      answer();
    } else {
      answer(*value);
    }
  }

  void fail(const error& why) noexcept;
  /// The same, for who counts it as something else: expired, refused, dropped.
  void fail_uncounted(const error& why) noexcept;

  /// Call inside a catch block. `call_error` answers with the error inside, everything else as
  /// `errc::handler_failed` with the exception's type and words.
  void fail_with_current_exception() noexcept;

  activation& at() const noexcept { return *at_; }
  deadline until() const noexcept { return until_; }
  const method& what() const noexcept { return *what_; }
  caller& from() const noexcept { return *from_; }
  std::uint64_t id() const noexcept { return id_; }
  std::uint8_t priority() const noexcept { return priority_; }
  /// Null: nothing was told.
  const ref<call_chain>& within() const noexcept { return within_; }
  /// Others may wait for the same answer.
  bool is_keyed() const noexcept { return static_cast<bool>(key_); }

 private:
  static error ran_and_failed(const error& why) {
    return error(why.code(), execution::ran_and_failed, why.message(), why.type())
        .with_retry_after(why.retry_after());
  }
  void abandon() noexcept;
  void fail_as_too_large(wire::batch& batch, std::size_t size) noexcept;
  // False: there is nothing to send (a cast), or it is too late for an answer, which was sent
  // instead.
  bool begin_answer() noexcept;
  wire::batch& open_answer();
  void finish_answer(wire::batch& batch) noexcept;
  std::uint8_t answer_flags() const noexcept;

  activation* at_;
  caller* from_;
  deadline until_;
  std::uint64_t id_;
  const method* what_;
  ref<call_chain> within_;
  ref<keyed_call> key_;
  bool open_;
  bool wants_answer_;
  std::uint8_t priority_;
};

}  // namespace mailroom::rpc
