#pragma once

#include <mailroom/framework/executors/turn_watch.hpp>

namespace mailroom::async {

/// For `turn_watch::options::subject`: the flow that is current on this thread. Async-signal-safe.
void tell_current_flow(executors::turn_subject& into) noexcept;

}  // namespace mailroom::async
