#include <mailroom/framework/rpc/balance.hpp>

#include <algorithm>

namespace mailroom::rpc {
namespace {

constexpr std::uint64_t step = 0x9e3779b97f4a7c15U;

std::uint64_t mixed(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

}  // namespace

// FNV-1a, mixed, since its own high bits depend little on the last bytes.
std::uint64_t hash_of_key(std::string_view key) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char each : key) {
    hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001b3U;
  }
  return mixed(hash);
}

std::uint64_t dice::roll() noexcept {
  return mixed(state_ += step);
}

hash_ring::hash_ring(std::span<const std::string_view> names) {
  points_.reserve(names.size() * points_of_each);
  for (std::size_t i = 0; i < names.size(); ++i) {
    dice points(hash_of_key(names[i]));
    for (std::size_t point = 0; point < points_of_each; ++point) {
      points_.emplace_back(points.roll(), i);
    }
  }
  std::sort(points_.begin(), points_.end());
}

std::size_t hash_ring::first_at(std::uint64_t key) const noexcept {
  const auto at = std::lower_bound(points_.begin(), points_.end(), std::pair(key, std::size_t{0}));
  return at == points_.end() ? 0 : static_cast<std::size_t>(at - points_.begin());
}

}  // namespace mailroom::rpc
