#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/wanted_call.hpp>

namespace mailroom::rpc {

void wanted_call::leave() noexcept {
  if (call_->wanted_by.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    call_->what.servers->home->cancel(std::move(call_));
  }
}

}  // namespace mailroom::rpc
