#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace mailroom::bench {

/// Counts durations in buckets that grow with what they hold, so that a quantile is off by less
/// than one percent whatever its size (HdrHistogram). Recording costs an addition; nothing is
/// allocated.
class histogram {
 public:
  void record(duration took) noexcept {
    const std::int64_t ns = took.count();
    ++counts_[bucket_of(ns > 0 ? static_cast<std::uint64_t>(ns) : 0)];
    ++total_;
  }

  std::uint64_t total() const noexcept { return total_; }

  /// In microseconds; `fraction` from 0 to 1. 0 if nothing was recorded.
  double quantile_us(double fraction) const noexcept {
    if (total_ == 0) {
      return 0;
    }
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(total_ - 1)) + 1;
    std::uint64_t seen = 0;
    std::size_t at = 0;
    while ((seen += counts_[at]) < wanted) {
      ++at;
    }
    return (static_cast<double>(lowest(at)) + static_cast<double>(lowest(at + 1) - 1)) / 2e3;
  }

 private:
  static constexpr unsigned fine_bits = 6;  // 64 buckets for each power of two.
  static constexpr std::size_t fine = std::size_t{1} << fine_bits;
  static constexpr unsigned most_bits = 42;  // Over an hour; what is longer counts there.
  static constexpr std::size_t buckets = (most_bits - fine_bits + 1) * fine;

  static std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < fine) {
      return static_cast<std::size_t>(ns);
    }
    if (ns >> most_bits != 0) {
      return buckets - 1;
    }
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - fine_bits;
    return (std::size_t{shift} + 1) * fine + static_cast<std::size_t>((ns >> shift) - fine);
  }
  static std::uint64_t lowest(std::size_t bucket) noexcept {
    if (bucket < fine) {
      return bucket;
    }
    return (std::uint64_t{fine} + bucket % fine) << (bucket / fine - 1);
  }

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace mailroom::bench
