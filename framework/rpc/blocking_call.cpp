#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/blocking_call.hpp>
#include <mailroom/framework/rpc/method.hpp>

namespace mailroom::rpc {

blocking_call::blocking_call(incoming&& started)
    : running_call(std::move(started), async::style::blocking), thread_(call.at()) {
  ctx.flow().where = &thread_;
  ctx.flow().on = &thread_;
  ctx.stop_token();  // Made on a turn, so that the handler's thread only looks at it.
}

void blocking_call::begin() noexcept {
  call.at().occupy(*this);
  if (auto* pool = call.at().pool()) {
    pool->submit(job_);
  } else {
    refuse(error(errc::internal, execution::not_run, "no threads for blocking handlers here"));
  }
}

void blocking_call::end() noexcept {
  ctx.request_stop();
  thread_.end();
  if (auto* pool = call.at().pool(); pool != nullptr && pool->take_back(job_)) {
    refuse(
        error(errc::stopping, execution::not_run, "the server is stopping; the call has not run"));
  }
}

void blocking_call::run() noexcept {
  activation& at = call.at();
  if (from->is_given_up(at.now())) {
    refuse(error(errc::unreachable, "the server stood still for so long that it was given up"));
    return;
  }
  if (call.until().passed(at.now())) {
    refuse(error(errc::expired, execution::not_run, "expired before a thread was free for it"));
    return;
  }
  {
    const async::flow_scope scope(&ctx.flow());
    invoke();
    thread_.finish();
  }
  at.post(ending_);
}

void blocking_call::job::dropped() noexcept {
  of_.refuse(error(errc::busy, execution::not_run, "no thread can be had for a blocking handler"));
}

void blocking_call::refuse(const error& why) noexcept {
  refused_ = why;
  call.at().post(ending_);
}

void blocking_call::finish() noexcept {
  activation& at = call.at();
  if (!refused_) {
    answer();
  } else {
    auto& counted = at.counting();
    (*refused_ == errc::expired ? counted.expired : counted.refused)
        .fetch_add(1, std::memory_order_relaxed);
    call.fail_uncounted(*refused_);
  }
  delete this;
  at.vacate();
}

}  // namespace mailroom::rpc
