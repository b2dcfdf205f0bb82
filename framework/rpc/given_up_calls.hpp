#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/error.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/rpc/caller.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace mailroom::rpc {

class activation;

/// Tells an activation of calls of one caller that nobody waits for any more: these, or all, since
/// the caller has gone. Posted; frees itself.
class cancel_note final : public async::work {
 public:
  /// All.
  cancel_note(activation& at, ref<caller> from) : at_(at), from_(std::move(from)), all_(true) {}
  cancel_note(activation& at, ref<caller> from, std::vector<std::uint64_t> ids)
      : at_(at), from_(std::move(from)), ids_(std::move(ids)) {
    std::sort(ids_.begin(), ids_.end());
  }

  const ref<caller>& from() const noexcept { return from_; }
  bool all() const noexcept { return all_; }
  const std::vector<std::uint64_t>& ids() const noexcept { return ids_; }
  bool names(const caller* by, std::uint64_t id) const noexcept {
    return by == from_.get() && id != 0 &&
           (all_ || std::binary_search(ids_.begin(), ids_.end(), id));
  }

  void run() noexcept override;
  void dropped() noexcept override { delete this; }
  bool beside_handlers() const noexcept override { return true; }

 private:
  activation& at_;
  const ref<caller> from_;
  const bool all_ = false;
  std::vector<std::uint64_t> ids_;  // In order.
};

/// What is answered to a call that was given up before it could start.
error given_up_error();

/// Calls of an activation that were given up while they may wait in its queue, or run and have not
/// asked for their stop token yet. Used on turns.
class given_up_calls {
 public:
  void add(const ref<caller>& by, std::uint64_t id) {
    calls_.insert_or_assign({by.get(), id}, by);
    ++since_search_;
  }
  bool contains(const caller& by, std::uint64_t id) const { return calls_.contains({&by, id}); }
  /// True if it was there.
  bool take(const caller& by, std::uint64_t id) { return calls_.erase({&by, id}) != 0; }
  bool empty() const noexcept { return calls_.empty(); }

  /// Whether the queue, in which so many wait, is worth a search: when it costs no more than a few
  /// steps for each call given up since the last.
  bool worth_a_search(std::size_t queued) const noexcept {
    return since_search_ * steps_of_each >= queued;
  }
  /// What waited has been taken. What is left runs, or is known no more; only few are kept, since
  /// to cancel is a hint.
  void searched(std::size_t running) {
    since_search_ = 0;
    if (running == 0 || calls_.size() > most_left) {
      calls_.clear();
    }
  }

 private:
  static constexpr std::size_t steps_of_each = 64;
  static constexpr std::size_t most_left = 1024;

  std::map<std::pair<const caller*, std::uint64_t>, ref<caller>> calls_;
  std::size_t since_search_ = 0;
};

/// What a link has heard lately of calls that were given up: they may be on their way still, since
/// the control plane overtakes. An id is never used twice, so that it does no harm to remember one
/// whose call has come. Used by the link's loop.
class early_cancels {
 public:
  static constexpr std::size_t most = 64;
  static constexpr duration remembered = std::chrono::seconds(1);

  bool empty() const noexcept { return ids_.empty(); }
  void add(std::uint64_t id, time_point now) {
    if (ids_.size() < most) {
      ids_.push_back(id);
    } else {
      ids_[next_++ % most] = id;
    }
    last_ = now;
  }
  bool contains(std::uint64_t id, time_point now) noexcept {
    if (now - last_ >= remembered) {
      ids_.clear();
      return false;
    }
    return id != 0 && std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  }

 private:
  std::vector<std::uint64_t> ids_;
  std::size_t next_ = 0;
  time_point last_{};
};

}  // namespace mailroom::rpc
