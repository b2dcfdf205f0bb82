#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <stdexcept>
#include <string>

namespace mailroom {

context::context(const rpc::incoming& call, async::style how)
    : at_(call.at()),
      from_(&call.from()),
      shared_(call.is_keyed()),
      caller_(call.from().name()),
      origin_(at_.origin_of(call.what(), call.within())) {
  flow_.where = &at_;
  flow_.how = how;
  flow_.until = call.until();
  flow_.priority = call.priority();
  flow_.within = origin_.get();
  flow_.name = call.what().full_name();
  flow_.call = call.id();
}

context::context(rpc::activation& at, std::string_view name) : at_(at) {
  flow_.where = &at_;
  flow_.how = async::style::coroutine;
  flow_.name = name;
}

std::stop_token context::stop_token() {
  if (!stop_) {
    stop_ = rpc::stop_signal::make(at_, flow_, from_, shared_);
  }
  return stop_->token();
}

void context::request_stop() noexcept {
  if (stop_) {
    stop_->stop();
  }
}

executors::blocking_pool& context::pool() const {
  auto* pool = at_.pool();
  if (pool == nullptr) {
    throw call_error(error(errc::internal, "no threads for blocking functions here"));
  }
  return *pool;
}

io_access context::io() const {
  auto* loop = at_.loop();
  if (loop == nullptr) {
    throw call_error(error(errc::internal, "no event loop that could watch descriptors here"));
  }
  return io_access(*loop);
}

void context::require_turn() const {
  if (flow_.how == async::style::blocking) {
    throw std::logic_error("ctx.every in " + std::string(flow_.name) +
                           ", a blocking handler: begin it in a handler of another style");
  }
}

mailroom::client context::client(target_view to) const {
  return mailroom::client(at_.calls_out(), to);
}

}  // namespace mailroom
