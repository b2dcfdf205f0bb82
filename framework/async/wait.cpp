#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/wait.hpp>
#include <mailroom/framework/base/result.hpp>

#include <stdexcept>
#include <string>

namespace mailroom::async {

flow& flow_that_waits(std::string_view what) {
  flow* here = current_flow();
  const std::string named(what);
  if (here == nullptr) {
    throw call_error(error(
        errc::would_block,
        named +
            " outside of any handler, where there is nothing to park: client.call and future_call "
            "wait on a thread, and node.run runs a task that can co_await"));
  }
  if (here->on == nullptr) {
    const std::string handler(here->name);
    throw call_error(
        error(errc::would_block,
              named + " inside " + handler +
                  (here->how == style::plain
                       ? ", a plain handler: register " + handler +
                             " as suspending, or return task<T> and co_await instead"
                       : ", a coroutine: co_await instead, or register " + handler +
                             " as suspending; co_await on_fiber(...) runs a function that waits")));
  }
  if (here->cancelled) {
    throw flow_cancelled{};
  }
  return *here;
}

void park_until_ended(flow& here, completion& what) {
  waiter by;
  by.prepare(here, {});
  by.shield();
  if (what.attach(by)) {
    here.on->park();
  }
}

void fiber_awaited_again(const flow* running) {
  if (running != nullptr && running == current_flow()) {
    throw call_error(error(errc::deadlock,
                           "a function on a fiber of " + std::string(running->name) +
                               " waits for its own end, which would never come: return instead"));
  }
  throw std::logic_error("awaited twice: on_fiber runs its function once, for one that awaits it");
}

}  // namespace mailroom::async
