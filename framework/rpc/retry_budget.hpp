#pragma once

#include <algorithm>
#include <cstdint>

namespace mailroom::rpc {

/// How often calls to one topic may be tried again by themselves, so that a service in trouble is
/// not buried under second attempts (gRPC A6): a failure takes a token, a success gives a tenth
/// back, and with half of the tokens or less nothing is tried again. Used by one thread.
class retry_budget {
 public:
  static constexpr std::uint32_t tokens = 100;

  bool allows() const noexcept { return tenths_ > full / 2; }
  void failed() noexcept { tenths_ -= std::min(tenths_, tenths_of_a_failure); }
  void succeeded() noexcept {
    if (tenths_ != full) {
      ++tenths_;
    }
  }

 private:
  static constexpr std::uint32_t tenths_of_a_failure = 10;
  static constexpr std::uint32_t full = tokens * tenths_of_a_failure;

  std::uint32_t tenths_ = full;
};

}  // namespace mailroom::rpc
