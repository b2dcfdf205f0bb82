#pragma once

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <optional>
#include <string>

namespace mailroom::cli {

/// A node that only calls, connected to one other: what most verbs work through. It logs nothing,
/// since a verb says in its one line what went wrong.
inline result<void> connect(std::optional<node>& into,
                            const std::string& address,
                            const std::string& executor = "loop-bound") {
  log::set_level(log::level::off);
  node_options with;
  with.connect = {address};
  with.executor = executor;
  into.emplace(std::move(with));
  return into->start();
}

}  // namespace mailroom::cli
