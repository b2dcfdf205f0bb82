#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>
#include <mailroom/framework/rpc/stop_signal.hpp>

#include <memory>

namespace mailroom::rpc {

error given_up_error() {
  return error(errc::cancelled, execution::not_run, "its caller gave it up before it could start");
}

void cancel_note::run() noexcept {
  const std::unique_ptr<cancel_note> owned(this);
  at_.give_up(*this);
}

// The batches that a note speaks of were posted before it: what is not in the queue will not come.
void activation::give_up(const cancel_note& what) noexcept {
  for (stop_signal* each = signals_; each != nullptr; each = each->older_) {
    if (each->is_given_up_by(what)) {
      each->request();
    }
  }
  if (!what.all()) {
    auto& known = aside().given_up;
    if (!known) {
      known = std::make_unique<given_up_calls>();
    }
    for (const std::uint64_t id : what.ids()) {
      if (id != 0) {
        known->add(what.from(), id);
      }
    }
    if (!known->worth_a_search(queued_.load(std::memory_order_relaxed))) {
      return;
    }
  }
  drop_given_up(what);
}

bool activation::is_given_up(const caller& by, std::uint64_t id) const noexcept {
  return aside_ && aside_->given_up && aside_->given_up->contains(by, id);
}

bool activation::take_given_up(const caller& by, const arrived_call& call) noexcept {
  return call.wants_answer && aside_->given_up->take(by, call.id);
}

}  // namespace mailroom::rpc
