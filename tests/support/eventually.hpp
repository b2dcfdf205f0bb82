#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace mailroom::tests {

/// Long enough for a sanitizer on a loaded machine; a test that needs it all has failed.
inline constexpr auto patience = std::chrono::seconds(30);

/// For conditions that nobody announces: looks often, gives up after `within`.
inline bool eventually(const std::function<bool()>& holds,
                       std::chrono::nanoseconds within = patience) {
  const auto give_up = std::chrono::steady_clock::now() + within;
  for (int looks = 0; !holds(); ++looks) {
    if (std::chrono::steady_clock::now() > give_up) {
      return false;
    }
    // What comes soon is seen soon, and what does not is left a processor.
    if (looks < 100) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return true;
}

}  // namespace mailroom::tests
