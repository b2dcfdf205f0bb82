#pragma once

#include <mailroom/framework/async/flow.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace mailroom::async {

/// A stack of its own on which a handler may stop in the middle (Boost.Context). It never changes
/// thread: who resumes it does so on the thread where it began. Stacks are kept and reused;
/// exceptions in flight survive a switch.
///
/// Stacks are ordinary memory without guard pages: protected ones cost two mappings each, and the
/// kernel allows 65 530 of those in a process, which would end it at 32 000 suspended calls.
class fiber final : public stack {
 public:
  /// Usable bytes of every stack made from now on. Default 64 KiB; memory that is not touched is
  /// not used.
  static void set_stack_size(std::size_t size) noexcept;

  /// Makes a fiber and runs `body` on it until it first suspends or ends. It frees itself at its
  /// end. `body` must not throw. `tell` receives the fiber before the body begins.
  static void start(std::function<void()> body, const std::function<void(fiber&)>& tell);

  void park() noexcept override;

  /// Continues it until it parks again or ends, in which case it is gone.
  void resume() noexcept override;

 private:
  class impl;
  friend class impl;
  fiber();
  ~fiber();
  std::unique_ptr<impl> impl_;
};

}  // namespace mailroom::async
