#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/ticker.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>

namespace mailroom::rpc {

tick::tick(activation& at, std::string_view name, duration period)
    : at_(at), name_(name), period_(period) {
  if (period <= duration::zero()) {
    throw std::invalid_argument("ctx.every in " + name_ + ": a period must be longer than nothing");
  }
  flow_.where = &at_;
  flow_.name = name_;
}

void tick::start() noexcept {
  if (!at_.is_open()) {
    return;
  }
  left_.store(false, std::memory_order_relaxed);
  at_.list(*ref<tick>(this).release());
  due_ = later(at_.now(), period_);
  at_.arm(alarm_, due_);
}

void tick::leave() noexcept {
  if (!left_.exchange(true, std::memory_order_relaxed)) {
    at_.cancel(alarm_);
    at_.unlist(*this);
    static_cast<void>(ref<tick>::adopt(this));
  }
}

void tick::let_go() noexcept {
  unused_.store(true, std::memory_order_release);
  const async::flow* here = async::current_flow();
  if (here != nullptr && &here->where->root() == static_cast<async::home*>(&at_)) {
    leave();
  }
}

// The inbox is an owner too.
void tick::on_time() noexcept {
  at_.post(ref<tick>(this).release()->turn_);
}

void tick::on_turn() noexcept {
  const auto kept = ref<tick>::adopt(this);
  if (left_.load(std::memory_order_relaxed)) {
    return;
  }
  if (unused_.load(std::memory_order_acquire)) {
    leave();
    return;
  }
  if (!at_.may_tick()) {
    at_.tick_later(ref<tick>(kept).release()->turn_);
    return;
  }
  at_.flow_begins();
  if (fire()) {
    at_.flow_ends();
    arm_next();
  }
}

void tick::ended() noexcept {
  at_.flow_ends();
  arm_next();
}

// In step with the beginning, not with the last turn; what was missed is not made up for.
void tick::arm_next() noexcept {
  if (left_.load(std::memory_order_relaxed)) {
    return;
  }
  const time_point now = at_.now();
  due_ += period_;
  if (due_ <= now) {
    due_ += ((now - due_) / period_ + 1) * period_;
  }
  at_.arm(alarm_, due_);
}

void tick::failed() const noexcept {
  try {
    throw;
  } catch (const std::exception& thrown) {
    log::warn("tick_failed", {{"handler", name_}, {"what", thrown.what()}});
  } catch (...) {
    log::warn("tick_failed", {{"handler", name_}, {"what", "no std::exception"}});
  }
}

}  // namespace mailroom::rpc
