// How a call that waited is started, or ends because it cannot be any more.

#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/call_queue.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::rpc {
namespace {

// Its caller has been told that it is lost.
error stood_still() {
  return error(errc::unreachable, "the server stood still for so long that it was given up");
}

}  // namespace

// Under overload calls are started just before their deadlines, and each would be answered just
// after it, for nothing. Those that cannot end in time make room for others that can; the last one
// that waits is started in any case.
duration activation::needed_to_run(const method& what) const noexcept {
  if (queued_.load(std::memory_order_relaxed) == 0) {
    return duration::zero();
  }
  const duration usual = what.usual_run();
  return usual + usual / 4;
}

const method* activation::start_next(time_point now) noexcept {
  call_batch& batch = queue_.oldest();
  const arrived_call call = batch.front();
  batch.pop();
  queued_.store(queued_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  const bool started = start(batch, call, now);
  if (batch.left() == 0) {
    queue_.remove(batch);
    if (queue_.empty() && aside_) {
      refill_queue();
    }
  }
  return started ? call.what : nullptr;
}

bool activation::start(const call_batch& from, const arrived_call& call, time_point now) noexcept {
  incoming started(*this, from, call);
  if (from.from()->is_given_up(now)) {
    counters_.dropped.fetch_add(1, std::memory_order_relaxed);
    started.fail_uncounted(stood_still());
    return false;
  }
  if (aside_ && aside_->given_up && take_given_up(*from.from(), call)) {
    counters_.cancelled.fetch_add(1, std::memory_order_relaxed);
    started.fail_uncounted(given_up_error());
    return false;
  }
  if (call.until.passed(now + needed_to_run(*call.what))) {
    call.what->was_refused();
    counters_.expired.fetch_add(1, std::memory_order_relaxed);
    started.fail_uncounted(
        error(errc::expired, execution::not_run, "expired before it could start and end"));
    return false;
  }
  counters_.started.store(counters_.started.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
  flow_begins();
  call.what->start(definition_->object.get(), std::move(started), call.arguments, from.frame());
  flow_ends();
  return true;
}

}  // namespace mailroom::rpc
