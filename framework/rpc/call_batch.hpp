#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/rpc/answer_store.hpp>
#include <mailroom/framework/rpc/call_chain.hpp>
#include <mailroom/framework/rpc/caller.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mailroom::rpc {

class activation;
class method;

/// One call as it lies in its frame: looked up and admitted, not decoded.
struct arrived_call {
  std::uint64_t id = 0;
  deadline until;  ///< On our clock.
  const method* what = nullptr;
  std::span<const std::byte> arguments;  ///< In the batch's frame.
  bool wants_answer = true;              ///< False for casts.
  std::uint8_t priority = 0;             ///< At most `wire::highest_priority`.
  std::uint32_t more = 0;                ///< What few have, in its batch; 0: nothing.
};

/// The calls of one frame for one endpoint, in the order they were sent. Whoever drops a batch
/// answers what is left in it with `errc::abandoned`.
class call_batch final : public async::work {
 public:
  call_batch(activation& to, ref<caller> from, wire::frame holding)
      : to_(to), from_(std::move(from)), frame_(std::move(holding)) {}
  ~call_batch();

  void reserve(std::size_t calls) { calls_.reserve(calls); }
  void add(const arrived_call& one) { calls_.push_back(one); }
  /// One that has a chain or a key.
  void add(arrived_call one, ref<call_chain> within, ref<keyed_call> key) {
    has_chains_ = has_chains_ || within;
    rest_.push_back({std::move(within), std::move(key)});
    one.more = static_cast<std::uint32_t>(rest_.size());
    calls_.push_back(one);
  }
  ref<call_chain> chain_of(const arrived_call& one) const noexcept {
    return one.more == 0 ? ref<call_chain>() : rest_[one.more - 1].within;
  }
  ref<keyed_call> key_of(const arrived_call& one) const noexcept {
    return one.more == 0 ? ref<keyed_call>() : rest_[one.more - 1].key;
  }
  bool has_chains() const noexcept { return has_chains_; }
  std::size_t left() const noexcept { return calls_.size() - next_; }
  const arrived_call& front() const noexcept { return calls_[next_]; }
  void pop() noexcept { ++next_; }
  const arrived_call& newest() const noexcept { return calls_.back(); }
  void pop_newest() noexcept { calls_.pop_back(); }
  std::span<const arrived_call> calls() const noexcept { return std::span(calls_).subspan(next_); }

  activation& to() const noexcept { return to_; }
  const ref<caller>& from() const noexcept { return from_; }
  const wire::frame& frame() const noexcept { return frame_; }

  /// Takes out those for which `wanted` is true, in order.
  template <class Wanted>
  void take_if(const Wanted& wanted) {
    calls_.erase(
        std::remove_if(calls_.begin() + static_cast<std::ptrdiff_t>(next_), calls_.end(), wanted),
        calls_.end());
  }

  void run() noexcept override;
  void dropped() noexcept override { delete this; }
  bool beside_handlers() const noexcept override { return true; }

 private:
  friend class batch_list;

  struct rest {
    ref<call_chain> within;
    ref<keyed_call> key;
  };

  activation& to_;
  ref<caller> from_;
  wire::frame frame_;
  std::vector<arrived_call> calls_;
  std::vector<rest> rest_;  // Of the few that have one.
  bool has_chains_ = false;
  std::size_t next_ = 0;
  call_batch* older_ = nullptr;  // In its list.
};

/// Batches with calls to start, oldest first. What is in it belongs to who has it, who empties it.
class batch_list {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  call_batch& oldest() const noexcept { return *first_; }
  call_batch& newest() const noexcept { return *last_; }
  static call_batch* newer_than(const call_batch& one) noexcept {
    return static_cast<call_batch*>(one.next);
  }

  void append(call_batch& more) noexcept {
    more.next = nullptr;
    more.older_ = last_;
    if (last_ != nullptr) {
      last_->next = &more;
    } else {
      first_ = &more;
    }
    last_ = &more;
  }
  /// Takes it out and destroys it.
  void remove(call_batch& one) noexcept;

 private:
  call_batch* first_ = nullptr;
  call_batch* last_ = nullptr;
};

}  // namespace mailroom::rpc
