#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/error.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/rpc/caller.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace mailroom::rpc {

class keyed_call;

/// Calls that carry a key (of idempotent methods), those that run and those that were answered a
/// while ago: a duplicate is not run again, but gets the same answer. Bounded in time and in bytes
/// of answers; who is forgotten runs again. Outlives its calls.
/// @threadsafe
class answer_store {
 public:
  struct limits {
    std::size_t bytes = std::size_t{16} << 20U;  ///< 0: no answer is kept.
    duration time = std::chrono::minutes(2);
  };

  explicit answer_store(const limits& bounds) : limits_(bounds) {}
  answer_store(const answer_store&) = delete;
  answer_store& operator=(const answer_store&) = delete;

  /// A call has arrived, on the loop's thread of its caller. The first with its key is to be run,
  /// and what is returned told how it ended. Null: it is a duplicate; it has been answered, or will
  /// be with the first.
  ref<keyed_call> arrive(const wire::call_key& key, caller& from, std::uint64_t id, time_point now);

  /// Of the answers that are kept.
  std::size_t bytes() const;

 private:
  friend class keyed_call;

  struct shard {
    mutable std::mutex mutex;
    std::map<wire::call_key, ref<keyed_call>> calls;              // Guarded by mutex.
    std::deque<std::pair<time_point, ref<keyed_call>>> answered;  // The same, oldest first.
    std::size_t bytes = 0;                                        // The same.
  };
  static constexpr std::size_t shards = 16;

  void keep(shard& in, keyed_call& answered, time_point now);
  void forget_old(shard& in, time_point now);

  const limits limits_;
  std::array<shard, shards> shards_;
};

/// The first call with a key. Told once how it ended.
class keyed_call final : public ref_counted<keyed_call> {
 public:
  keyed_call(answer_store& store, answer_store::shard& in, const wire::call_key& key)
      : store_(store), in_(in), key_(key) {}

  /// It was answered with a value, or failed; what has provably not run is forgotten. Then `tell`,
  /// when the caller's own answer is written.
  void succeeded(std::span<const std::byte> value, std::uint8_t flags, time_point now);
  void failed(const error& why, time_point now);
  /// Answers the duplicates that came meanwhile.
  void tell();

 private:
  friend class answer_store;

  struct duplicate {
    ref<caller> from;
    std::uint64_t id;
  };
  void end(bool keep, time_point now);
  void answer(const duplicate& to) const;
  std::size_t bytes() const noexcept { return sizeof *this + value_.size(); }

  answer_store& store_;
  answer_store::shard& in_;
  const wire::call_key key_;
  std::vector<duplicate> waiting_;  // Guarded by in_.mutex until it has ended, as all below.
  bool ended_ = false;
  wire::buffer value_;
  std::uint8_t flags_ = 0;
  std::optional<error> failure_;
};

}  // namespace mailroom::rpc
