#pragma once

#include <mailroom/framework/async/awaiting.hpp>
#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/part.hpp>

#include <concepts>
#include <coroutine>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mailroom {
namespace async {

/// The current flow, of which `what` wants to be waited for implicitly. Throws `call_error` with
/// `errc::would_block` where that cannot be: in a plain handler, in a coroutine and outside of any
/// handler; it names the handler and what to do instead. Throws `flow_cancelled`.
flow& flow_that_waits(std::string_view what);

/// Parks the current flow until `what` is done, also when the flow is cancelled meanwhile: for what
/// ends by itself, and refers to the stack that waits for it.
void park_until_ended(flow& here, completion& what);

}  // namespace async

/// Waits in a suspending handler for anything that a coroutine can `co_await`, and yields its
/// value: a call that is out (`async_call`), a task, a lock, a channel, `gather`. Several calls are
/// started first and then waited for:
///
///     auto price = shop.async_call<int>("price", item);
///     auto stock = store.async_call<int>("stock", item);
///     return mailroom::wait(price).value() * mailroom::wait(stock).value();
///
/// The handler is parked, and others of its endpoint run meanwhile. In plain handlers, coroutines
/// and outside of handlers it throws `call_error` with `errc::would_block`, which says what to do.
template <class Awaitable>
async::detail::awaited<std::remove_reference_t<Awaitable>> wait(Awaitable&& what) {
  async::flow& here = async::flow_that_waits("wait");
  using awaiter_type =
      std::remove_cvref_t<decltype(async::detail::awaiter_of(std::forward<Awaitable>(what)))>;
  if constexpr (std::derived_from<awaiter_type, async::parkable>) {
    auto&& awaiter = async::detail::awaiter_of(std::forward<Awaitable>(what));
    if (!awaiter.await_ready() && awaiter.await_suspend(std::noop_coroutine())) {
      here.on->park();
    }
    return awaiter.await_resume();
  } else {
    async::detail::part<std::remove_reference_t<Awaitable>> bridge(what, *here.where, here);
    bridge.start();
    async::park_until_ended(here, bridge.ended());
    return bridge.take();
  }
}

}  // namespace mailroom
