#include <mailroom/actors/endpoint_actor.hpp>
#include <mailroom/actors/runtime.hpp>
#include <mailroom/actors/scheduler.hpp>

#include <mailroom/framework/rpc/method.hpp>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/logger.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace mailroom::actors {
namespace {

constexpr std::size_t messages_per_turn = 100;

class told_relocation final : public endpoint_relocation {
 public:
  told_relocation(executors::executor& to,
                  executors::affinity worker,
                  std::function<void(result<void>)> tell)
      : endpoint_relocation(to, worker), tell_(std::move(tell)) {}

  void arrived() noexcept override { tell_({}); }
  void undone(const error& why) noexcept override { tell_(why); }

 private:
  const std::function<void(result<void>)> tell_;
};

bool uses_fibers(const rpc::endpoint_definition& what) {
  return std::any_of(what.methods.begin(), what.methods.end(), [](const auto& each) {
    return each->how() == async::style::suspending;
  });
}

class held_endpoint final : public endpoint {
 public:
  explicit held_endpoint(caf::actor held)
      : held_(std::move(held)), actor_(*caf::actor_cast<endpoint_actor*>(held_)) {}
  ~held_endpoint() override { caf::anon_send_exit(held_, caf::exit_reason::user_shutdown); }

  rpc::activation& activation() noexcept override { return actor_.activation(); }
  executors::executor& home() noexcept override { return actor_.home(); }
  executors::affinity worker() noexcept override { return actor_.placed().worker; }

 private:
  caf::actor held_;
  endpoint_actor& actor_;
};

}  // namespace

class runtime::impl {
 public:
  impl(executors::executor& usual,
       executors::blocking_pool& pool,
       executors::event_loop& loop,
       platform& host,
       std::function<void()> quiet)
      : quiet_(std::move(quiet)) {
    // CAF's own default is no limit: an actor that sends to itself would keep its thread for ever.
    config_.set("scheduler.max-throughput", messages_per_turn);
    config_.module_factories.emplace_back(
        [this, &usual, &host](caf::actor_system& system) -> caf::actor_system::module* {
          return scheduler_ = new scheduler(system, usual, host);
        });
    system_ = std::make_unique<caf::actor_system>(config_);
    // What is left is told to exit by its owner; waiting for it here could wait for ever.
    system_->await_actors_before_shutdown(false);
    surroundings_.emplace(endpoint_actor::surroundings{host, pool, loop, *scheduler_, quiet_});
    leave();
  }

  // CAF has the calling thread keep the system's logger, and the system's end wait for it; but a
  // node may be started on one thread and stopped on another.
  static void leave() { CAF_SET_LOGGER_SYS(nullptr); }

  caf::actor_system& system() noexcept { return *system_; }
  /// `on` runs items of this actor system from now on.
  void serve_with(executors::executor& on) noexcept { on.set_owner(scheduler_); }
  const endpoint_actor::surroundings& surroundings() const noexcept { return *surroundings_; }

  executors::affinity worker_for(const rpc::endpoint_definition& what, const place& at) noexcept {
    const bool keeps = uses_fibers(what) || at.on.loop_of(at.worker) != nullptr;
    if (!at.worker.is_anywhere() || !keeps) {
      return at.worker;
    }
    const std::lock_guard lock(mutex_);
    std::size_t& next = next_worker_[&at.on];
    const std::size_t all = std::max<std::size_t>(at.on.workers(), 1);
    auto worker = executors::affinity::anywhere();
    for (std::size_t tried = 0; tried != all; ++tried) {
      worker = executors::affinity::worker(static_cast<std::uint32_t>(next));
      next = (next + 1) % all;
      if (!at.on.is_stuck(worker)) {
        break;
      }
    }
    return worker;
  }

 private:
  const std::function<void()> quiet_;
  caf::actor_system_config config_;
  scheduler* scheduler_ = nullptr;  // Owned by system_.
  std::unique_ptr<caf::actor_system> system_;
  std::optional<endpoint_actor::surroundings> surroundings_;
  std::mutex mutex_;
  std::map<executors::executor*, std::size_t> next_worker_;  // Guarded by mutex_.
};

executors::verdict runtime::run_turn(void* item, executors::executor& where) noexcept {
  auto& runnable = *static_cast<caf::resumable*>(item);
  if (runnable.subtype() != caf::resumable::io_actor) {
    return scheduler::run_turn(item, where);
  }
  auto& actor = static_cast<endpoint_actor&>(runnable);
  const auto placed = actor.placed();
  const auto wants = scheduler::run_turn(item, where);
  if (wants == executors::verdict::again && !(actor.placed() == placed)) {
    actor.submit_again();  // It has been moved, or made a fiber and must not be stolen any more.
    return executors::verdict::done;
  }
  return wants;
}

runtime::runtime(executors::executor& usual,
                 executors::blocking_pool& pool,
                 executors::event_loop& loop,
                 platform& host,
                 std::function<void()> quiet)
    : impl_(std::make_unique<impl>(usual, pool, loop, host, std::move(quiet))) {}

runtime::~runtime() = default;

std::unique_ptr<endpoint> runtime::spawn(std::shared_ptr<const rpc::endpoint_definition> what,
                                         std::string topic,
                                         rpc::connector& calls_out,
                                         const place& home) {
  impl_->serve_with(home.on);
  const auto worker = impl_->worker_for(*what, home);
  auto spawned = impl_->system().spawn<endpoint_actor, caf::hidden>(endpoint_actor::making{
      std::move(what), std::move(topic), calls_out, home.on, worker, impl_->surroundings()});
  impl::leave();
  return std::make_unique<held_endpoint>(std::move(spawned));
}

runtime::place runtime::settle(endpoint& which, const place& at) {
  return {at.on, impl_->worker_for(which.activation().definition(), at)};
}

void runtime::visit(const place& at, std::function<void()> then) {
  impl_->serve_with(at.on);
  impl_->surroundings().units.visit(at.on, at.worker, std::move(then));
}

std::shared_ptr<rpc::relocation> runtime::move(endpoint& which,
                                               const place& to,
                                               std::function<void(result<void>)> tell) {
  rpc::activation& at = which.activation();
  impl_->serve_with(to.on);
  auto moving = std::make_shared<told_relocation>(
      to.on, impl_->worker_for(at.definition(), to), std::move(tell));
  at.relocate(moving);
  return moving;
}

}  // namespace mailroom::actors
