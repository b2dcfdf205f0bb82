#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/base/ref.hpp>

#include <atomic>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mailroom {

namespace rpc {

class activation;

/// What `context::every` has begun: a function that runs as a turn of its endpoint again and again.
/// Shared by the endpoint and the ticker. All but `let_go` on turns of the endpoint.
class tick : public ref_counted<tick> {
  friend class activation;

 public:
  tick(activation& at, std::string_view name, duration period);
  tick(const tick&) = delete;
  tick& operator=(const tick&) = delete;
  virtual ~tick() = default;

  void start() noexcept;

  /// It ends: the endpoint stops. `this` may be gone afterwards.
  void leave() noexcept;

  /// Nobody has a use for it any more: at once on a turn of its endpoint, else before its next
  /// turn. @threadsafe
  void let_go() noexcept;

 protected:
  /// Runs the function. False: it goes on, and `ended` tells.
  virtual bool fire() noexcept = 0;
  void ended() noexcept;
  void failed() const noexcept;  // In a catch block: says so in the log.
  async::flow& flow() noexcept { return flow_; }
  activation& at() const noexcept { return at_; }

 private:
  // The timer and the turn are both asked for by one tick at a time.
  class alarm final : public executors::timer {
   public:
    explicit alarm(tick& of) noexcept : of_(of) {}
    void on_time() noexcept override { of_.on_time(); }

   private:
    tick& of_;
  };
  class turn final : public async::work {
   public:
    explicit turn(tick& of) noexcept : of_(of) {}
    void run() noexcept override { of_.on_turn(); }
    void dropped() noexcept override { static_cast<void>(ref<tick>::adopt(&of_)); }

   private:
    tick& of_;
  };

  void on_time() noexcept;
  void on_turn() noexcept;
  void arm_next() noexcept;

  activation& at_;
  const std::string name_;
  const duration period_;
  async::flow flow_;
  time_point due_;
  alarm alarm_{*this};
  turn turn_{*this};
  std::atomic<bool> unused_{false};
  std::atomic<bool> left_{true};  // Written on turns only.
  tick* newer_ = nullptr;         // In the endpoint's list.
  tick* older_ = nullptr;
};

template <class Function>
class tick_of final : public tick {
 public:
  tick_of(activation& at, std::string_view name, duration period, Function function)
      : tick(at, name, period), function_(std::move(function)) {}

 private:
  using returned = std::invoke_result_t<Function&>;
  static_assert(std::is_void_v<returned> || std::is_same_v<returned, task<void>>,
                "what runs again and again returns nothing, or task<void>");

  bool fire() noexcept override {
    if constexpr (std::is_void_v<returned>) {
      flow().how = async::style::plain;
      const async::flow_scope scope(&flow());
      try {
        function_();
      } catch (...) {
        failed();
      }
      return true;
    } else {
      flow().how = async::style::coroutine;
      const async::flow_scope scope(&flow());
      run(*this, ref<tick>(this));
      return false;
    }
  }

  static async::detail::detached run(tick_of& self, [[maybe_unused]] ref<tick> kept) {
    try {
      co_await self.function_();
    } catch (const async::flow_cancelled&) {
      // The endpoint ends.
    } catch (...) {
      self.failed();
    }
    self.ended();  // And it goes, if nobody else keeps it.
  }

  Function function_;
};

}  // namespace rpc

/// Keeps what `context::every` has begun going; when it goes, no turn of it follows. Dropped on
/// another thread than the endpoint's, one that has begun may still run.
class [[nodiscard]] ticker {
 public:
  ticker() noexcept = default;
  explicit ticker(ref<rpc::tick> begun) noexcept : tick_(std::move(begun)) {}
  ticker(ticker&& other) noexcept : tick_(std::move(other.tick_)) {}
  ticker& operator=(ticker&& other) noexcept {
    std::swap(tick_, other.tick_);
    return *this;
  }
  ~ticker() { stop(); }

  void stop() noexcept {
    if (tick_) {
      std::exchange(tick_, {})->let_go();
    }
  }

 private:
  ref<rpc::tick> tick_;
};

}  // namespace mailroom
