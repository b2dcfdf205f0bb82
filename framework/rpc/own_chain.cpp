#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/method.hpp>

// Calls that come back to an endpoint from within the one that runs there.

namespace mailroom::rpc {

// Calls that the present one waits for, whoever made them on its behalf: they could only wait for
// it in turn. It is the last that was started, unless calls of its chain were let in.
void activation::sort_out_own_chain(call_batch& arrived) noexcept {
  const bool lets_in = definition_->lets_own_chain_in;
  const std::uint64_t present =
      lets_in ? aside().outermost : counters_.started.load(std::memory_order_relaxed);
  const std::uint64_t here = calls_out_.number_of(this);
  arrived.take_if([&](const arrived_call& call) {
    const auto chain = arrived.chain_of(call);
    const auto* within = chain ? chain->find(here, present) : nullptr;
    if (within == nullptr) {
      return false;
    }
    if (lets_in && occupant_ == nullptr) {
      start(arrived, call, runner_.now());
    } else {
      incoming(*this, arrived, call)
          .fail(error(
              errc::deadlock,
              execution::not_run,
              "it would wait for itself: " + chain->path_from(*within, call.what->full_name())));
    }
    return true;
  });
}

std::unique_ptr<call_origin> activation::origin_of(const method& what,
                                                   const ref<call_chain>& outer) {
  if (!definition_->exclusive && !outer) {
    return {};
  }
  const std::uint64_t number = counters_.started.load(std::memory_order_relaxed);
  if (definition_->lets_own_chain_in && running() == 1) {
    aside().outermost = number;
  }
  return std::make_unique<call_origin>(outer, calls_out_.number_of(this), number, what.full_name());
}

}  // namespace mailroom::rpc
