#pragma once

#include <mailroom/framework/async/flow.hpp>

#include <memory>
#include <stop_token>

namespace mailroom::rpc {

class activation;
class caller;
class cancel_note;

/// Stops the token of one handler, from when the handler asks for it to its end: when its
/// activation ends, its deadline passes, or its caller gives the call up. Used on turns of the
/// activation, where it also calls whoever waits for the stop.
class stop_signal final : private executors::timer, private async::work {
 public:
  struct letting_go {
    void operator()(stop_signal* signal) const noexcept { signal->let_go(); }
  };
  using owner = std::unique_ptr<stop_signal, letting_go>;

  /// For the handler whose flow is `of`, called by `from` (null: by nobody); `shared`: others may
  /// wait for its answer. Stopped from the start if it is too late already.
  static owner make(activation& at, const async::flow& of, const caller* from, bool shared);

  std::stop_token token() const noexcept { return source_.get_token(); }

  /// `this` may be gone afterwards: callbacks do what they like.
  void stop() noexcept;

 private:
  friend class activation;

  stop_signal(activation& at, const async::flow& of, const caller* from, bool shared) noexcept
      : at_(at), of_(of), from_(from), shared_(shared) {}
  ~stop_signal() = default;

  bool is_given_up_by(const cancel_note& what) const noexcept;
  /// Has it stopped as soon as that may be.
  void request() noexcept;
  void let_go() noexcept;
  void leave() noexcept;
  void on_time() noexcept override;
  void run() noexcept override;
  void dropped() noexcept override { delete this; }
  bool beside_handlers() const noexcept override;

  activation& at_;
  const async::flow& of_;
  const caller* const from_;
  const bool shared_;
  std::stop_source source_;
  bool noticed_ = false;  // The deadline's notice lies in the inbox. Its timer writes this before.
  bool let_go_ = false;
  bool listed_ = false;
  stop_signal* newer_ = nullptr;  // In the activation's list.
  stop_signal* older_ = nullptr;
};

}  // namespace mailroom::rpc
