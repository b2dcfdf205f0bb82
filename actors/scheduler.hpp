#pragma once

#include <mailroom/framework/executors/executor.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/detail/simple_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace mailroom::actors {

/// CAF's clock on a timer of an executor: delayed messages and timeouts of CAF actors, without a
/// thread. Every function may be called from any thread.
class executor_clock final : public caf::detail::simple_actor_clock, private executors::timer {
 public:
  executor_clock(executors::executor& on, caf::scheduler::abstract_coordinator& deliver_through)
      : on_(on), through_(deliver_through), delivery_(*this) {}
  ~executor_clock() override { on_.cancel(*this); }

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
  delivery delivery_;
  std::recursive_mutex mutex_;  // Delivering a message may set the next timeout.
};

/// The scheduler module of an actor system: hands every runnable actor to an executor.
class scheduler final : public caf::scheduler::abstract_coordinator {
 public:
  scheduler(caf::actor_system& system, executors::executor& usual);

  void enqueue(caf::resumable* runnable) override;
  caf::actor_clock& clock() noexcept override { return clock_; }
  bool detaches_utility_actors() const override { return false; }
  void start() override;

  /// Counts what `stop` waits for: actors from being scheduled until their turn has ended and let
  /// go of them.
  void hold() noexcept { scheduled_.fetch_add(1, std::memory_order_relaxed); }
  void let_go() noexcept;

  /// Waits until no actor is scheduled any more, but not for ever: one that sends to itself never
  /// ends.
  void stop() override;

  /// What actors run on: sends what becomes runnable to `enqueue`.
  caf::execution_unit& unit() noexcept { return unit_; }

  /// Runs one turn of an actor that came through `enqueue`.
  executors::verdict run(caf::resumable& runnable) noexcept;

 private:
  class execution final : public caf::execution_unit {
   public:
    explicit execution(scheduler& to) : caf::execution_unit(&to.system()), to_(to) {}
    void exec_later(caf::resumable* runnable) override { to_.enqueue(runnable); }

   private:
    scheduler& to_;
  };

  executors::executor& usual_;
  executor_clock clock_;
  execution unit_;
  // Count and stop flag are one word: whoever counts down to nothing after the flag is set knows
  // that it is the last to touch this object, and before it, that it must not touch it again.
  static constexpr std::size_t stopping = ~(~std::size_t{0} >> 1U);
  std::atomic<std::size_t> scheduled_{0};
  bool drained_ = false;  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable none_scheduled_;
};

}  // namespace mailroom::actors
