#include <mailroom/tests/bench/executors/contenders.hpp>

#include <mailroom/actors/scheduler.hpp>

#include <mailroom/framework/base/platform.hpp>

#include <caf/atom.hpp>

#include <stdexcept>
#include <utility>

namespace mailroom::tests::bench {

const std::vector<contender>& contenders() {
  static const std::vector<contender> all{
      {"stealing-1", "stealing", 1, false},
      {"stealing-2", "stealing", 2, false},
      {"sharing-1", "sharing", 1, false},
      {"sharing-2", "sharing", 2, false},
      {"loop-bound", "loop-bound", 1, true},
      {"cooperative", "cooperative", 1, true},
      {"work-stealing-2", "work-stealing", 2, true},
  };
  return all;
}

house::house(const contender& how, std::size_t max_throughput) {
  config_.set("scheduler.max-throughput", max_throughput);
  if (how.is_ours) {
    use(how);
  } else {
    config_.set("scheduler.max-threads", how.workers);
    config_.set("scheduler.policy", caf::atom_from_string(std::string(how.policy)));
  }
  system_ = std::make_unique<caf::actor_system>(config_);
}

void house::use(const contender& how) {
  executors::executor::options with;
  with.name = std::string(how.name);
  with.workers = how.workers;
  with.run = &actors::scheduler::run_turn;
  if (how.policy == "loop-bound") {
    loop_ = std::make_unique<executors::event_loop>("mr-loop-0", platform::system());
    with.loops = {loop_.get()};
    loop_->start();
  }
  auto made = executors::make_executor(how.policy, std::move(with));
  if (!made) {
    throw std::runtime_error(std::string(made.error().message()));
  }
  executor_ = *std::move(made);
  executor_->start();
  config_.module_factories.emplace_back(
      [this](caf::actor_system& of) -> caf::actor_system::module* {
        return new actors::scheduler(of, *executor_, platform::system());
      });
}

house::~house() {
  system_.reset();
  if (executor_ != nullptr) {
    executor_->stop(deadline::none());
  }
  if (loop_ != nullptr) {
    loop_->stop();
  }
}

}  // namespace mailroom::tests::bench
