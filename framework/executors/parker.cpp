#include <mailroom/framework/executors/parker.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

namespace mailroom::executors {
namespace {

// FUTEX_WAIT_BITSET takes an absolute point of CLOCK_MONOTONIC, which std::chrono::steady_clock is;
// a wait for a duration would start anew after each interruption. Returns false when the time has
// come.
bool futex_wait(std::atomic<std::uint32_t>& word,
                std::uint32_t expected,
                const timespec* until) noexcept {
  return ::syscall(SYS_futex,
                   &word,
                   FUTEX_WAIT_BITSET_PRIVATE,
                   expected,
                   until,
                   nullptr,
                   FUTEX_BITSET_MATCH_ANY) == 0 ||
         errno != ETIMEDOUT;
}

}  // namespace

bool parker::sleep(time_point until) noexcept {
  static_assert(sizeof(state_) == sizeof(std::uint32_t), "the kernel looks at the word itself");
  timespec at{};
  if (until != time_point::max()) {
    const auto since = std::max(duration::zero(), until.time_since_epoch());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    at.tv_sec = seconds.count();
    at.tv_nsec = (since - seconds).count();
  }
  while (state_.load() == announced) {
    if (!futex_wait(state_, announced, until == time_point::max() ? nullptr : &at)) {
      return state_.exchange(awake) != announced;
    }
  }
  return true;
}

bool parker::wake() noexcept {
  if (state_.load() != announced || state_.exchange(awake) != announced) {
    return false;
  }
  ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  return true;
}

}  // namespace mailroom::executors
