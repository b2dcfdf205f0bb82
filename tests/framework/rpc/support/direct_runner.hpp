#pragma once

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace mailroom::tests {

/// Serves an activation straight from an executor, without CAF: it is the item, and a turn of the
/// item is a turn of the activation. Destroy it when its executor has stopped.
class direct_runner final : public rpc::runner {
 public:
  direct_runner(executors::executor& home,
                executors::affinity worker,
                std::shared_ptr<const rpc::endpoint_definition> what,
                std::string topic,
                rpc::connector& calls_out,
                executors::blocking_pool* pool = nullptr,
                executors::event_loop* loop = nullptr)
      : home_(home),
        pool_(pool),
        loop_(loop),
        worker_(worker),
        activation_(std::move(what), std::move(topic), calls_out, *this) {}

  /// For `executor::options::run`.
  static executors::verdict run_turn(void* item, executors::executor&) noexcept {
    auto& self = *static_cast<direct_runner*>(item);
    self.turns_.fetch_add(1, std::memory_order_relaxed);
    const auto worker = self.worker_;
    if (!self.activation_.turn()) {
      return executors::verdict::done;
    }
    if (self.worker_ == worker) {
      return executors::verdict::again;
    }
    self.ring();  // It has made its first fiber: `again` would let others steal it.
    return executors::verdict::done;
  }

  rpc::activation& activation() noexcept { return activation_; }
  std::uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }
  bool told_quiet() const noexcept { return quiet_.load(std::memory_order_acquire); }

 private:
  void move(rpc::relocation&) noexcept override {}  // Back to where it is.
  void keep_thread() noexcept override {
    if (worker_.is_anywhere()) {
      worker_ = home_.own_worker();
    }
  }
  const std::string& executor_name() const noexcept override { return home_.name(); }
  void ring() noexcept override { home_.submit(this, worker_); }
  void arm(executors::timer& t, time_point due) noexcept override { home_.arm(t, due); }
  void cancel(executors::timer& t) noexcept override { home_.cancel(t); }
  time_point now() const noexcept override { return clock::now(); }
  executors::blocking_pool* pool() noexcept override { return pool_; }
  executors::event_loop* loop() noexcept override { return loop_; }
  void quiet() noexcept override { quiet_.store(true, std::memory_order_release); }

  executors::executor& home_;
  executors::blocking_pool* const pool_;
  executors::event_loop* const loop_;
  executors::affinity worker_;  // Used and written by who may submit it.
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<bool> quiet_{false};
  rpc::activation activation_;
};

}  // namespace mailroom::tests
