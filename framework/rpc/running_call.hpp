#pragma once

#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/incoming.hpp>

#include <utility>

namespace mailroom::rpc::detail {

/// A handler that outlives the turn it started in: the call, and the context that its code refers
/// to.
struct running_call {
  running_call(incoming&& started, async::style how)
      : from(&started.from()), call(std::move(started)), ctx(call, how) {
    call.at().flow_begins();
    if (how == async::style::suspending) {
      call.at().fiber_begins();
    }
  }
  running_call(const running_call&) = delete;
  running_call& operator=(const running_call&) = delete;
  ~running_call() {
    if (ctx.flow().how == async::style::suspending) {
      call.at().fiber_ends();
    }
    call.at().flow_ends();
  }

  ref<caller> from;  // What `call` borrows.
  incoming call;
  context ctx;
};

}  // namespace mailroom::rpc::detail
