#pragma once

#include <mailroom/framework/async/thread_home.hpp>
#include <mailroom/framework/base/error.hpp>
#include <mailroom/framework/executors/blocking_pool.hpp>
#include <mailroom/framework/rpc/running_call.hpp>

#include <optional>

namespace mailroom::rpc {

/// A call whose handler runs on a thread of the pool, and has its endpoint to itself until it ends.
/// Begins and is answered on turns; between the two only its handler uses it. Frees itself.
class blocking_call : public detail::running_call {
 public:
  explicit blocking_call(incoming&& started);

  /// On the turn in which it starts.
  void begin() noexcept;

  /// The endpoint is ended: stops the handler's token, and cancels what it waits for; if it waits
  /// for a thread still, it will not run. On a turn.
  void end() noexcept;

 protected:
  virtual ~blocking_call() = default;

  /// Runs the handler and keeps what it comes to. On a thread of the pool.
  virtual void invoke() noexcept = 0;
  /// With what it came to. On a turn.
  virtual void answer() noexcept = 0;

 private:
  class job final : public executors::blocking_pool::job {
   public:
    explicit job(blocking_call& of) noexcept : of_(of) {}
    void run() noexcept override { of_.run(); }
    void dropped() noexcept override;

   private:
    blocking_call& of_;
  };

  // In the inbox of the endpoint, which lets it pass.
  class ending final : public async::work {
   public:
    explicit ending(blocking_call& of) noexcept : of_(of) {}
    void run() noexcept override { of_.finish(); }
    void dropped() noexcept override { delete &of_; }
    bool beside_handlers() const noexcept override { return true; }

   private:
    blocking_call& of_;
  };

  void run() noexcept;
  void refuse(const error& why) noexcept;
  void finish() noexcept;

  async::thread_home thread_;
  job job_{*this};
  ending ending_{*this};
  std::optional<error> refused_;  // Why the handler has not run.
};

}  // namespace mailroom::rpc
