#pragma once

#include <mailroom/framework/rpc/pending_call.hpp>

#include <utility>

namespace mailroom::rpc {

/// Somebody who waits for the answer of a call. When the last goes before it has come, nobody wants
/// it any more: the call is cancelled, here and where it is served. Copies may live on different
/// threads.
class wanted_call {
 public:
  /// The first of them.
  explicit wanted_call(ref<pending_call> call) noexcept : call_(std::move(call)) {}
  wanted_call(const wanted_call& other) noexcept : call_(other.call_) {
    if (call_) {
      call_->wanted_by.fetch_add(1, std::memory_order_relaxed);
    }
  }
  wanted_call(wanted_call&& other) noexcept = default;
  wanted_call& operator=(wanted_call other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~wanted_call() {
    if (call_ && !call_->done()) {
      leave();
    }
  }

  pending_call& operator*() const noexcept { return *call_; }

 private:
  void leave() noexcept;

  ref<pending_call> call_;
};

}  // namespace mailroom::rpc
