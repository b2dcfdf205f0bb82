#pragma once

#include <mailroom/framework/async/flow.hpp>

#include <memory>
#include <stop_token>

namespace mailroom::rpc {

class activation;

/// Stops the token of one handler, from when the handler asks for it to its end: when its
/// activation ends, or its deadline passes. Used on turns of the activation, where it also calls
/// whoever waits for the stop.
class stop_signal final : private executors::timer, private async::work {
 public:
  struct letting_go {
    void operator()(stop_signal* signal) const noexcept { signal->let_go(); }
  };
  using owner = std::unique_ptr<stop_signal, letting_go>;

  /// For the handler whose flow is `of`. Stopped from the start if it is too late already.
  static owner make(activation& at, const async::flow& of);

  std::stop_token token() const noexcept { return source_.get_token(); }

  /// `this` may be gone afterwards: callbacks do what they like.
  void stop() noexcept;

 private:
  friend class activation;

  stop_signal(activation& at, const async::flow& of) noexcept : at_(at), of_(of) {}
  ~stop_signal() = default;

  void let_go() noexcept;
  void leave() noexcept;
  void on_time() noexcept override;
  void run() noexcept override;
  void dropped() noexcept override { delete this; }
  bool beside_handlers() const noexcept override;

  activation& at_;
  const async::flow& of_;
  std::stop_source source_;
  bool noticed_ = false;  // The deadline's notice lies in the inbox. Its timer writes this before.
  bool let_go_ = false;
  bool listed_ = false;
  stop_signal* newer_ = nullptr;  // In the activation's list.
  stop_signal* older_ = nullptr;
};

}  // namespace mailroom::rpc
