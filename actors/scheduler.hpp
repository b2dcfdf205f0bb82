#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/detail/simple_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>

namespace mailroom::actors {

/// CAF's clock on a timer of an executor: delayed messages and timeouts of CAF actors, without a
/// thread. Every function may be called from any thread.
class executor_clock final : public caf::detail::simple_actor_clock, private executors::timer {
 public:
  executor_clock(executors::executor& on,
                 caf::scheduler::abstract_coordinator& deliver_through,
                 platform& host)
      : on_(on), through_(deliver_through), host_(host), delivery_(*this) {}
  ~executor_clock() override { on_.cancel(*this); }

  // An actor reads the clock in each of its turns.
  time_point now() const noexcept override { return host_.now(); }

  void set_ordinary_timeout(time_point t,
                            caf::abstract_actor* self,
                            caf::atom_value type,
                            std::uint64_t id) override;
  void set_multi_timeout(time_point t,
                         caf::abstract_actor* self,
                         caf::atom_value type,
                         std::uint64_t id) override;
  void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point t,
                        caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point t,
                        caf::group target,
                        caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

 private:
  // A timer must not arm itself while it fires, so what is due is delivered by an item of its own.
  class delivery final : public caf::resumable {
   public:
    explicit delivery(executor_clock& of) : of_(of) {}
    resume_result resume(caf::execution_unit*, std::size_t) override {
      of_.deliver();
      return done;
    }
    void intrusive_ptr_add_ref_impl() override {}
    void intrusive_ptr_release_impl() override {}

   private:
    executor_clock& of_;
  };

  void on_time() noexcept override { through_.enqueue(&delivery_); }
  void deliver();
  void arm();

  executors::executor& on_;
  caf::scheduler::abstract_coordinator& through_;
  platform& host_;
  delivery delivery_;
  std::recursive_mutex mutex_;  // Delivering a message may set the next timeout.
};

/// The scheduler module of an actor system: hands every runnable actor to an executor.
class scheduler final : public caf::scheduler::abstract_coordinator {
 public:
  /// `usual` was made with `run_turn`, has been started, and outlives this.
  scheduler(caf::actor_system& system, executors::executor& usual, platform& host);

  /// The executor's run function. Its items are resumables; who owns it is their scheduler.
  static executors::verdict run_turn(void* item, executors::executor& where) noexcept;

  void enqueue(caf::resumable* runnable) override;
  /// Has `on`, which serves items of this actor system, run `then` as a turn. @threadsafe
  void visit(executors::executor& on, executors::affinity worker, std::function<void()> then);
  caf::actor_clock& clock() noexcept override { return clock_; }
  bool detaches_utility_actors() const override { return false; }
  void start() override;

  /// Counts what `stop` waits for: actors from being scheduled until their turn has ended and let
  /// go of them.
  void hold() noexcept { held_.fetch_add(1, std::memory_order_relaxed); }
  void let_go() noexcept { held_.fetch_sub(1, std::memory_order_release); }

  /// Waits until no actor is scheduled any more and no thread of the executor knows the actor
  /// system, but not for ever: an actor that sends to itself never ends.
  void stop() override;

  /// What actors run on: sends what becomes runnable to `enqueue`.
  caf::execution_unit& unit() noexcept { return unit_; }

 private:
  class execution final : public caf::execution_unit {
   public:
    explicit execution(scheduler& to) : caf::execution_unit(&to.system()), to_(to) {}
    void exec_later(caf::resumable* runnable) override { to_.enqueue(runnable); }

   private:
    scheduler& to_;
  };

  executors::verdict run(caf::resumable& runnable) noexcept;
  bool run_slice(caf::resumable& actor) noexcept;
  bool wants_more(caf::resumable& runnable, std::size_t after_messages) noexcept;
  void visit_threads(time_point until);
  bool is_quiet() const noexcept { return held_.load(std::memory_order_acquire) == 0; }

  executors::executor& usual_;
  platform& host_;
  executor_clock clock_;
  execution unit_;
  std::atomic<std::size_t> held_{0};
};

}  // namespace mailroom::actors
