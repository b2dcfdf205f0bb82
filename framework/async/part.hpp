#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/exceptions.hpp>
#include <mailroom/framework/async/flow.hpp>

namespace mailroom::async {

/// A home inside another, for flows that are cancelled together and apart from all others.
class nested_home final : public home {
 public:
  explicit nested_home(home& outer) noexcept : outer_(outer) {}
  ~nested_home() override = default;

  // Once it is handed on, what is posted may run, and this may be gone.
  void post(work& todo) noexcept override { outer_.post(todo); }
  void arm(executors::timer& t, time_point due) noexcept override { outer_.arm(t, due); }
  void cancel(executors::timer& t) noexcept override { outer_.cancel(t); }
  time_point now() const noexcept override { return outer_.now(); }
  void fiber_begins() noexcept override { outer_.fiber_begins(); }
  void fiber_ends() noexcept override { outer_.fiber_ends(); }
  void hold() noexcept override { outer_.hold(); }
  void let_go() noexcept override { outer_.let_go(); }
  home& root() noexcept override { return outer_.root(); }

  using home::cancel_waiting;

 private:
  home& outer_;
};

namespace detail {

/// An awaitable that a coroutine of its own awaits, as a flow of its own. Stays where it is, and
/// alive, until it has ended.
template <class Awaitable>
class part {
 public:
  using value = awaited<Awaitable>;

  /// It runs at `where`; deadline and name are those of `like`.
  part(Awaitable& what, home& where, const flow& like) noexcept : what_(what), flow_(like) {
    flow_.where = &where;
    flow_.how = style::coroutine;
    flow_.on = nullptr;
  }
  part(const part&) = delete;
  part& operator=(const part&) = delete;

  /// Runs it until it first waits. `notified`, if there is one, is completed when it ends; last
  /// `kept` goes, after which this may be gone.
  template <class Kept = nothing>
  void start(completion* notified = nullptr, Kept kept = {}) noexcept {
    notified_ = notified;
    const exceptions_apart apart;
    const flow_scope scope(&flow_);
    run(*this, std::move(kept));
  }
  completion& ended() noexcept { return ended_; }
  /// After the end.
  value take() { return outcome_.take(); }

 private:
  template <class Kept>
  static detached run(part& self, [[maybe_unused]] Kept kept) {
    try {
      if constexpr (std::is_void_v<value>) {
        co_await self.what_;
        self.outcome_.succeed();
      } else {
        self.outcome_.succeed(co_await self.what_);
      }
    } catch (...) {
      self.outcome_.fail(std::current_exception());
    }
    if (self.notified_ != nullptr) {
      self.notified_->complete();
    }
    self.ended_.complete();  // Whoever waits for it goes on in a later turn, or work, of the home.
  }

  Awaitable& what_;
  flow flow_;
  completion* notified_ = nullptr;
  outcome<value> outcome_;
  event ended_;
};

}  // namespace detail
}  // namespace mailroom::async
