#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/executors/blocking_pool.hpp>

#include <exception>
#include <type_traits>
#include <utility>

namespace mailroom::async {

/// A function of values on its way through the pool; shared by the pool and who waits for it.
template <class Function>
class offloaded final : public executors::blocking_pool::job,
                        public completion,
                        public ref_counted<offloaded<Function>> {
 public:
  using value = std::remove_cvref_t<std::invoke_result_t<Function&>>;

  explicit offloaded(Function function) : function_(std::move(function)) {}

  /// A thread that may block runs it at once: waiting for another could wait for itself.
  void start(executors::blocking_pool& pool) noexcept {
    ref<offloaded>(this).release();
    if (pool.on_own_thread()) {
      run();
    } else {
      pool.submit(*this);
    }
  }
  value take() { return outcome_.take(); }

 private:
  void run() noexcept override {
    detail::run_into(outcome_, function_);
    end();
  }
  void dropped() noexcept override {
    outcome_.fail(std::make_exception_ptr(call_error(
        error(errc::stopping, "the pool of blocking threads has stopped; nothing was run"))));
    end();
  }
  void end() noexcept {
    const auto last = ref<offloaded>::adopt(this);
    complete();
  }

  Function function_;
  detail::outcome<value> outcome_;
};

/// See `context::offload`.
template <class Function>
class [[nodiscard]] offload_operation {
 public:
  offload_operation(executors::blocking_pool& pool, Function function)
      : running_(make_ref<offloaded<Function>>(std::move(function))) {
    running_->start(pool);
  }

  auto operator co_await() const noexcept {
    return detail::shared_awaiter<offloaded<Function>>(running_);
  }

 private:
  ref<offloaded<Function>> running_;
};

}  // namespace mailroom::async
