#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom {

/// Which of several servers of a topic a call goes to.
enum class balance : std::uint8_t {
  round_robin,      ///< One after the other.
  least_in_flight,  ///< Of two chosen at random, that with fewer calls of ours unanswered.
  by_key,           ///< Calls with equal keys to the same (`call_options::key`).
};

namespace rpc {

/// What a key is spread by: the same in every process and in every version.
std::uint64_t hash_of_key(std::string_view key) noexcept;

/// Numbers that are random enough to choose by (SplitMix64). One seed, one sequence.
class dice {
 public:
  explicit dice(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t roll() noexcept;
  /// Below `sides`, which is not 0.
  std::size_t roll(std::size_t sides) noexcept {
    return static_cast<std::size_t>(((roll() >> 32U) * sides) >> 32U);
  }

 private:
  std::uint64_t state_;
};

/// Power of two choices: nearly as even as to look at all, and who reports a low load is not
/// flooded by everybody at once. Precondition: `servers` is not 0.
template <class Load>
std::size_t least_of_two(dice& by, std::size_t servers, const Load& load) {
  const std::size_t one = by.roll(servers);
  if (servers == 1) {
    return one;
  }
  std::size_t other = by.roll(servers - 1);
  other += other >= one ? 1 : 0;
  return load(other) < load(one) ? other : one;
}

/// Consistent hashing: a key stays with its server when others come or go, and moves to the next
/// on the ring while its own may not be used. Immutable; names tell the servers apart.
class hash_ring {
 public:
  explicit hash_ring(std::span<const std::string_view> names);

  /// The first server from the key on that `fits`; the key's own if none does. Precondition: there
  /// are servers.
  template <class Fits>
  std::size_t pick(std::uint64_t key, const Fits& fits) const {
    const std::size_t first = first_at(key);
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const std::size_t at = first + i < points_.size() ? first + i : first + i - points_.size();
      if (fits(points_[at].second)) {
        return points_[at].second;
      }
    }
    return points_[first].second;
  }

 private:
  static constexpr std::size_t points_of_each = 100;  // Within about a tenth of an even share.

  std::size_t first_at(std::uint64_t key) const noexcept;

  std::vector<std::pair<std::uint64_t, std::size_t>> points_;  // In order.
};

/// How many calls a server of a ring may have before its keys go on to the next: a quarter more
/// than the average ("consistent hashing with bounded loads").
constexpr std::size_t bounded_load(std::size_t in_flight, std::size_t servers) noexcept {
  return ((in_flight + 1) * 5 + servers * 4 - 1) / (servers * 4);
}

}  // namespace rpc
}  // namespace mailroom
