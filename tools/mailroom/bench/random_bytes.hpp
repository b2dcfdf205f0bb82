#pragma once

#include <mailroom/framework/base/platform.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mailroom::bench {

/// Payloads that nobody can guess or compress, at about a nanosecond for eight bytes (SplitMix64,
/// whose steps do not wait for each other), from a seed that differs from run to run.
class random_bytes {
 public:
  random_bytes() {
    std::array<std::byte, sizeof(state_)> seed{};
    platform::system().random(seed);
    std::memcpy(&state_, seed.data(), seed.size());
  }

  void fill(std::span<std::byte> into) noexcept {
    std::byte* at = into.data();
    std::size_t left = into.size();
    for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
      const std::uint64_t word = next();
      std::memcpy(at, &word, sizeof word);
      at += sizeof word;
    }
    if (left != 0) {
      const std::uint64_t word = next();
      std::memcpy(at, &word, left);
    }
  }

 private:
  std::uint64_t next() noexcept {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }

  std::uint64_t state_ = 0;
};

}  // namespace mailroom::bench
