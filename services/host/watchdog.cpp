// What a node says about handlers that do not end.

#include <mailroom/services/host/node_impl.hpp>
#include <mailroom/services/host/stack_line.hpp>

#include <mailroom/framework/async/turn_subject.hpp>
#include <mailroom/framework/base/symbols.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace mailroom {

void running_node::start_watchdog() {
  if (options_.watchdog == duration(0)) {
    return;
  }
  watchdog_ = std::make_unique<executors::turn_watch>(
      control_loop_,
      executors::turn_watch::options{
          .limit = options_.watchdog,
          .subject = &async::tell_current_flow,
          .report = [this](const executors::stuck_turn& what) { tell_of(what); },
          .host = &host_});
}

void running_node::tell_of(const executors::stuck_turn& what) const {
  const std::string stack = stack_line(functions_at(what.stack), log::max_value);
  log::warn("stuck_turn",
            {{"node", options_.name},
             {"handler", what.handler.empty() ? std::string_view("none") : what.handler},
             {"executor", what.executor},
             {"thread", what.thread},
             {"call", what.call},
             {"relieved", what.relieved},
             {"age", std::chrono::duration_cast<std::chrono::milliseconds>(what.age)},
             {"stack", stack.empty() ? std::string_view("unknown") : stack}});
}

}  // namespace mailroom
