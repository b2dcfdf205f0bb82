#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/fiber.hpp>
#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/rpc/blocking_call.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/instances.hpp>
#include <mailroom/framework/rpc/queue_policy.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace mailroom::rpc {

/// What is said of a method where it is registered.
struct method_description {
  std::string name;
  async::style how = async::style::plain;
  bool idempotent = false;
  std::uint8_t key_argument = 0;
};

/// A method of an endpoint as the dispatcher sees it: a name and a way to start it. Immutable, so
/// that any thread may look at it; calls are started on turns of their endpoint.
class method {
 public:
  method(const std::string& topic, const method_description& of)
      : full_name_(topic + "." + of.name),
        name_at_(static_cast<std::uint32_t>(topic.size() + 1)),
        how_(of.how),
        idempotent_(of.idempotent),
        key_argument_(of.key_argument) {}
  method(const method&) = delete;
  method& operator=(const method&) = delete;
  virtual ~method() = default;

  std::string_view name() const noexcept { return std::string_view(full_name_).substr(name_at_); }
  /// "topic.method".
  const std::string& full_name() const noexcept { return full_name_; }
  async::style how() const noexcept { return how_; }
  bool idempotent() const noexcept { return idempotent_; }
  /// Which argument says to which instance a call goes, from 0.
  std::size_t key_argument() const noexcept { return key_argument_; }

  /// How long a call of it usually runs before it ends or first waits. Of all instances together;
  /// it soon follows what is less, and what is more step by step: a turn that was held up once says
  /// little. @threadsafe
  duration usual_run() const noexcept {
    return duration(std::int64_t{usual_run_.load(std::memory_order_relaxed)} * run_unit);
  }
  void has_run(duration for_so_long) const noexcept {
    const std::int64_t known = usual_run_.load(std::memory_order_relaxed);
    const std::int64_t run =
        std::min<std::int64_t>(for_so_long.count() / run_unit, 2 * known + most_at_once);
    const std::int64_t next =
        run < known ? known - (known - run + 1) / 2 : known + (run - known) / 4;
    usual_run_.store(static_cast<std::int32_t>(std::min<std::int64_t>(next, longest_run)),
                     std::memory_order_relaxed);
  }
  /// A call of it was not started for want of time: many of those, and it is tried again.
  void was_refused() const noexcept {
    const std::int32_t known = usual_run_.load(std::memory_order_relaxed);
    usual_run_.store(known - known / 2048, std::memory_order_relaxed);
  }

  /// Decodes the arguments and runs the handler until it ends or first waits. The call is answered,
  /// now or later.
  virtual void start(void* object,
                     incoming&& call,
                     std::span<const std::byte> arguments,
                     const wire::frame& within) const noexcept = 0;

 private:
  static constexpr std::int64_t run_unit = 1024;      // Nanoseconds.
  static constexpr std::int64_t most_at_once = 1000;  // About a millisecond.
  static constexpr std::int64_t longest_run = std::numeric_limits<std::int32_t>::max() / 4;

  std::string full_name_;
  std::uint32_t name_at_;  // In full_name_: an idle endpoint should cost little.
  async::style how_;
  bool idempotent_;
  std::uint8_t key_argument_;
  mutable std::atomic<std::int32_t> usual_run_{0};
};

struct endpoint_definition;

/// The second instance of an endpoint and all after it, each with an object of its own.
struct other_instances {
  sharing how = sharing::balanced;
  std::vector<std::shared_ptr<const endpoint_definition>> all;
};

/// An endpoint: its object and what that offers.
struct endpoint_definition {
  std::vector<std::unique_ptr<const method>> methods;
  std::shared_ptr<void> object;  ///< Whose methods they are.
  bool exclusive = false;
  bool lets_own_chain_in = false;  ///< Exclusive but to calls that the present one waits for.
  bool one_of_several = false;     ///< There are more instances.
  queue_policy when_full = queue_policy::refuse_newest;
  std::uint32_t queue_limit = 65'536;             ///< Calls.
  std::string executor;                           ///< Policy that serves it; empty: the node's.
  std::unique_ptr<const other_instances> others;  ///< Of the first instance, if there are more.

  const method* find(std::string_view name) const noexcept {
    for (const auto& each : methods) {
      if (each->name() == name) {
        return each.get();
      }
    }
    return nullptr;
  }
};

namespace detail {

template <class Object, class Function, class Result, class... Args>
class bound_method final : public method {
 public:
  using values = std::tuple<std::decay_t<Args>...>;

  bound_method(const std::string& topic, const method_description& of, Function function)
      : method(topic, of), function_(function) {}

  void start(void* object,
             incoming&& call,
             std::span<const std::byte> arguments,
             const wire::frame& within) const noexcept override {
    try {
      auto decoded = wire::unpack_arguments<std::decay_t<Args>...>(arguments, &within);
      if (!decoded) {
        call.fail(error(decoded.error().code(),
                        full_name() + " " + std::string(decoded.error().message())));
        return;
      }
      auto& self = *static_cast<Object*>(object);
      if constexpr (is_task<Result>) {
        auto running = std::make_unique<running_call>(std::move(call), async::style::coroutine);
        const async::flow_scope scope(&running->ctx.flow());
        run_coroutine(function_, self, std::move(running), *std::move(decoded));
      } else if (how() == async::style::suspending) {
        auto* running = new suspended(std::move(call), *std::move(decoded));
        const async::flow_scope scope(&running->ctx.flow());
        async::fiber::start([this, &self, running] { run_on_fiber(self, running); },
                            [running](async::fiber& on) { running->ctx.flow().on = &on; });
      } else if (how() == async::style::blocking) {
        (new blocked(*this, self, std::move(call), *std::move(decoded)))->begin();
      } else {
        context ctx(call, async::style::plain);
        const async::flow_scope scope(&ctx.flow());
        run_plain(self, call, ctx, *decoded);
      }
    } catch (...) {
      call.fail_with_current_exception();
    }
  }

 private:
  struct suspended : running_call {
    suspended(incoming&& started, values&& decoded)
        : running_call(std::move(started), async::style::suspending),
          arguments(std::move(decoded)) {}
    values arguments;
  };

  class blocked final : public blocking_call {
   public:
    blocked(const bound_method& what, Object& self, incoming&& started, values&& decoded)
        : blocking_call(std::move(started)),
          what_(what),
          self_(self),
          arguments_(std::move(decoded)) {}

   private:
    void invoke() noexcept override {
      if constexpr (!is_task<Result>) {
        const auto handler = [this]() -> Result { return what_.invoke(self_, ctx, arguments_); };
        async::detail::run_into(came_, handler);
      }
    }
    void answer() noexcept override {
      if constexpr (!is_task<Result>) {
        answer_with(call, [this]() -> Result { return came_.take(); });
      }
    }

    const bound_method& what_;
    Object& self_;
    values arguments_;
    async::detail::outcome<Result> came_;
  };

  Result invoke(Object& self, context& ctx, values& arguments) const {
    return std::apply(
        [&](auto&... each) -> Result {
          return std::invoke(function_, self, ctx, std::move(each)...);
        },
        arguments);
  }

  // Answers with what `result` returns or throws.
  template <class Produce>
  static void answer_with(incoming& call, const Produce& result) noexcept {
    try {
      if constexpr (std::is_void_v<Result>) {
        result();
        call.answer();
      } else {
        call.answer(result());
      }
    } catch (...) {
      call.fail_with_current_exception();
    }
  }

  void run_plain(Object& self, incoming& call, context& ctx, values& arguments) const noexcept {
    answer_with(call, [&]() -> Result { return invoke(self, ctx, arguments); });
  }

  void run_on_fiber(Object& self, suspended* running) const noexcept {
    if constexpr (!is_task<Result>) {
      const std::unique_ptr<suspended> owned(running);
      run_plain(self, running->call, running->ctx, running->arguments);
    }
  }

  // The function and its arguments live in this frame: what a coroutine refers to must outlive its
  // suspensions.
  static async::detail::detached run_coroutine(Function function,
                                               Object& self,
                                               std::unique_ptr<running_call> running,
                                               values arguments) {
    try {
      auto handler = std::apply(
          [&](auto&... each) {
            return std::invoke(function, self, running->ctx, std::move(each)...);
          },
          arguments);
      if constexpr (std::is_void_v<typename Result::value_type>) {
        co_await handler;
        running->call.answer();
      } else {
        running->call.answer(co_await handler);
      }
    } catch (...) {
      running->call.fail_with_current_exception();
    }
  }

  Function function_;
};

}  // namespace detail
}  // namespace mailroom::rpc
