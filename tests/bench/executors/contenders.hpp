#pragma once

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::tests::bench {

/// One way to schedule the same actors.
struct contender {
  std::string_view name;
  std::string_view policy;
  std::size_t workers;
  bool is_ours;  ///< Our scheduler module and an executor; else one that CAF brings.
};

/// CAF's own, then ours.
const std::vector<contender>& contenders();

/// An actor system under one contender. Only the scheduler module differs from one to the next.
class house {
 public:
  house(const contender& how, std::size_t max_throughput);
  /// Waits for all actors.
  ~house();
  house(const house&) = delete;
  house& operator=(const house&) = delete;

  caf::actor_system& system() noexcept { return *system_; }

 private:
  void use(const contender& how);

  std::unique_ptr<executors::event_loop> loop_;
  std::unique_ptr<executors::executor> executor_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
};

}  // namespace mailroom::tests::bench
