#pragma once

#include <mailroom/actors/scheduler.hpp>

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/rpc/activation.hpp>

#include <caf/event_based_actor.hpp>

#include <functional>
#include <memory>
#include <string>

namespace mailroom::actors {

/// An RPC endpoint as a CAF actor. Its CAF mailbox is ingress and life cycle: other actors'
/// messages, exit and down arrive there, and a *doorbell* when its activation has something to do.
/// Each turn of the actor is one turn of the activation, which owns calls, suspended handlers and
/// their order.
class endpoint_actor final : public caf::event_based_actor, private rpc::runner {
 public:
  struct making {
    std::shared_ptr<const rpc::endpoint_definition> what;
    std::shared_ptr<void> object;
    std::string topic;
    rpc::connector& calls_out;
    executors::executor& home;
    executors::affinity worker;
    platform& host;
    scheduler& units;
    const std::function<void()>&
        quiet;  ///< Called when the activation is quiet after a stop. @threadsafe
  };
  endpoint_actor(caf::actor_config& config, making&& from);

  rpc::activation& activation() noexcept { return activation_; }
  executors::executor& home() noexcept { return home_; }
  scheduler& units() noexcept { return units_; }

  /// Tells our actors from others where items are run; CAF itself asks this only of what it runs on
  /// its own threads.
  subtype_t subtype() const override { return io_actor; }

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
  void arm(executors::timer& t, time_point due) noexcept override { home_.arm(t, due); }
  void cancel(executors::timer& t) noexcept override { home_.cancel(t); }
  time_point now() const noexcept override { return host_.now(); }
  void quiet() noexcept override { quiet_(); }
  void submit() noexcept;

  executors::executor& home_;
  const executors::affinity worker_;
  platform& host_;
  scheduler& units_;
  const std::function<void()>& quiet_;
  rpc::activation activation_;
};

}  // namespace mailroom::actors
