#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/rpc/activation.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace mailroom::actors {

/// An endpoint actor as its node holds it. Destroying it lets the actor go; nothing may post to its
/// activation any more then.
class endpoint {
 public:
  virtual ~endpoint() = default;
  virtual rpc::activation& activation() noexcept = 0;
  /// The executor that serves it, and to which of its workers it keeps, if to one.
  /// @threadsafe
  virtual executors::executor& home() noexcept = 0;
  virtual executors::affinity worker() noexcept = 0;
};

/// The CAF actor system of one node. CAF brings mailboxes and life cycles; when and where a mailbox
/// is served is decided by our executors, which its scheduler module hands every runnable actor to.
/// No thread of CAF's own is started.
class runtime {
 public:
  /// What an executor that serves actors must be made with.
  static executors::verdict run_turn(void* item, executors::executor& where) noexcept;

  /// `usual` serves actors that are placed nowhere else; it must have been started, and outlive
  /// this, as `pool` does, where blocking handlers run, and `loop`, which watches descriptors for
  /// handlers that are served by no loop. `quiet` is called, on any thread, whenever an activation
  /// that was stopped has become quiet.
  runtime(executors::executor& usual,
          executors::blocking_pool& pool,
          executors::event_loop& loop,
          platform& host,
          std::function<void()> quiet);

  /// Ends the actor system: waits for actors that are scheduled, so the executors must still run.
  /// Endpoints must be gone.
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Where an endpoint is served: an executor, and one of its workers. Without one, an endpoint
  /// with suspending methods is given one, because fibers do not change threads, and so is any
  /// endpoint on event loops; all others run on whichever there is.
  struct place {
    executors::executor& on;
    executors::affinity worker = executors::affinity::anywhere();
  };

  /// Makes an endpoint actor and places it. @threadsafe
  std::unique_ptr<endpoint> spawn(std::shared_ptr<const rpc::endpoint_definition> what,
                                  std::string topic,
                                  rpc::connector& calls_out,
                                  const place& home);

  /// `at`, and the worker there that `which` would keep to, if to one: each has its turn, but those
  /// that are stuck. @threadsafe
  place settle(endpoint& which, const place& at);

  /// Has `then` run as a turn at `at`: when it does, turns are run there. @threadsafe
  void visit(const place& at, std::function<void()> then);

  /// Moves an endpoint to another place in the same node; see `activation::relocate`. `tell`
  /// hears on a turn, or on the thread that drops the endpoint, that the first turn at `to` has
  /// begun or why it stays. What is returned may be given to `activation::withdraw`. @threadsafe
  std::shared_ptr<rpc::relocation> move(endpoint& which,
                                        const place& to,
                                        std::function<void(result<void>)> tell);

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mailroom::actors
