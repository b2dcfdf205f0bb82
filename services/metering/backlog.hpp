#pragma once

#include <mailroom/services/metering/sample.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace mailroom::metering {

/// Samples that the collector has not confirmed, oldest first; a bounded number of them. Used by
/// one thread at a time.
class backlog {
 public:
  explicit backlog(std::size_t limit) : limit_(limit) {}

  /// Over the limit the oldest go, and are counted: the newest say more about what is wrong.
  void add(std::vector<sample> samples);

  /// Up to `most` of the oldest, which stay until they are confirmed.
  std::vector<sample> oldest(std::size_t most) const;

  /// The `count` oldest have been stored.
  void confirm(std::size_t count);

  bool empty() const noexcept { return kept_.empty(); }
  std::size_t size() const noexcept { return kept_.size(); }
  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  std::size_t limit_;
  std::deque<sample> kept_;
  std::uint64_t dropped_ = 0;
};

}  // namespace mailroom::metering
