#pragma once

#include <mailroom/framework/base/clock.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <thread>

namespace mailroom {

/// What the framework takes from the machine: time, randomness, threads. Everything below
/// `services` is given one and asks nobody else, so that a whole node can run on a simulated one.
/// @threadsafe
class platform {
 public:
  virtual ~platform() = default;

  /// The monotonic clock; does not block. May be some microseconds behind, never ahead: of two
  /// threads that tell each other the time, the later may say the earlier one.
  virtual time_point now() const noexcept = 0;

  /// Unpredictable bytes, good enough for identities and tokens.
  virtual void random(std::span<std::byte> bytes) = 0;

  /// Starts a thread that is called `name` (at most 15 characters are shown by the system).
  virtual std::thread start_thread(const std::string& name, std::function<void()> body) = 0;

  /// The real machine. Lives as long as the process.
  static platform& system();
};

}  // namespace mailroom
