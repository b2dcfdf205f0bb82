#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/method.hpp>

namespace mailroom {

context::context(const rpc::incoming& call, async::style how)
    : at_(call.at()), caller_(call.from().name()) {
  flow_.where = &at_;
  flow_.how = how;
  flow_.until = call.until();
  flow_.name = call.what().full_name();
}

context::context(rpc::activation& at, std::string_view name) : at_(at) {
  flow_.where = &at_;
  flow_.how = async::style::coroutine;
  flow_.name = name;
}

std::stop_token context::stop_token() {
  if (!stop_) {
    stop_ = rpc::stop_signal::make(at_, flow_);
  }
  return stop_->token();
}

mailroom::client context::client(target_view to) const {
  return mailroom::client(at_.calls_out(), to);
}

}  // namespace mailroom
