#pragma once

#include <mailroom/actors/scheduler.hpp>

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/rpc/activation.hpp>

#include <caf/event_based_actor.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace mailroom::actors {

/// A relocation that knows where it leads to.
class endpoint_relocation : public rpc::relocation {
 public:
  endpoint_relocation(executors::executor& to, executors::affinity worker) noexcept
      : to_(to), worker_(worker) {}
  executors::executor& to() const noexcept { return to_; }
  executors::affinity worker() const noexcept { return worker_; }

 private:
  executors::executor& to_;
  const executors::affinity worker_;
};

/// An RPC endpoint as a CAF actor. Its CAF mailbox is ingress and life cycle: other actors'
/// messages, exit and down arrive there, and a *doorbell* when its activation has something to do.
/// Each turn of the actor is one turn of the activation, which owns calls, suspended handlers and
/// their order.
class endpoint_actor final : public caf::event_based_actor, private rpc::runner {
 public:
  /// What all endpoint actors of a runtime share.
  struct surroundings {
    platform& host;
    executors::blocking_pool& pool;
    executors::event_loop& loop;  ///< Watches for those that are served by no loop.
    scheduler& units;
    const std::function<void()>&
        quiet;  ///< Called when an activation is quiet after a stop. @threadsafe
  };
  struct making {
    std::shared_ptr<const rpc::endpoint_definition> what;
    std::string topic;
    rpc::connector& calls_out;
    executors::executor& home;
    executors::affinity worker;
    const surroundings& within;
  };
  endpoint_actor(caf::actor_config& config, making&& from);

  rpc::activation& activation() noexcept { return activation_; }
  /// @threadsafe
  executors::executor& home() const noexcept { return *home_.load(std::memory_order_acquire); }

  /// Tells our actors from others where items are run; CAF itself asks this only of what it runs on
  /// its own threads.
  subtype_t subtype() const override { return io_actor; }

  /// Where it wants its turns: it may move, and keep to a worker once it has made a fiber. Read by
  /// who may submit it.
  struct place {
    executors::executor* home;
    executors::affinity worker;
    friend bool operator==(const place&, const place&) noexcept = default;
  };
  place placed() const noexcept { return {&home(), worker()}; }

  /// Puts it in the queue of its executor again, after a turn that wanted another.
  void submit_again() noexcept;

  resume_result resume(caf::execution_unit*, std::size_t) override;
  using caf::event_based_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) override;
  void launch(caf::execution_unit*, bool lazy, bool hide) override;
  caf::invoke_message_result consume(caf::mailbox_element& what) override;
  const char* name() const override { return "mailroom.endpoint"; }

 protected:
  caf::behavior make_behavior() override;

 private:
  void ring() noexcept override;
  void move(rpc::relocation& to) noexcept override;
  void keep_thread() noexcept override;
  executors::blocking_pool* pool() noexcept override { return &within_.pool; }
  executors::event_loop* loop() noexcept override {
    executors::event_loop* const own = home().loop_of(worker());
    return own != nullptr ? own : &within_.loop;
  }
  const std::string& executor_name() const noexcept override { return home().name(); }
  void arm(executors::timer& t, time_point due) noexcept override { home().arm(t, due); }
  void cancel(executors::timer& t) noexcept override { home().cancel(t); }
  time_point now() const noexcept override { return within_.host.now(); }
  void quiet() noexcept override { within_.quiet(); }
  void submit() noexcept;
  executors::affinity worker() const noexcept { return worker_.load(std::memory_order_acquire); }

  std::atomic<executors::executor*> home_;  // Written on its turns.
  // Written by who may submit it. Blocking handlers read both on threads of their own.
  std::atomic<executors::affinity> worker_;
  const surroundings& within_;
  rpc::activation activation_;
};

}  // namespace mailroom::actors
