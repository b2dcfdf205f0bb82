#include <mailroom/framework/async/mutex.hpp>

namespace mailroom {

mutex::guard mutex::try_lock() noexcept {
  const std::lock_guard lock(state_);
  return std::exchange(held_, true) ? guard() : guard(*this);
}

// It goes from hand to hand: nobody who comes meanwhile is faster than who waits.
void mutex::unlock() noexcept {
  const std::lock_guard lock(state_);
  if (auto* next = line_.first()) {
    line_.leave(*next);
    next->complete();
  } else {
    held_ = false;
  }
}

bool mutex::lock_operation::awaiter::await_ready() {
  throw_if_cancelled();
  const std::lock_guard lock(of_.state_);
  if (!std::exchange(of_.held_, true)) {
    return true;
  }
  of_.line_.enter(*this);
  return false;
}

mutex::guard mutex::lock_operation::awaiter::await_resume() {
  if (was_cancelled()) {
    const std::lock_guard lock(of_.state_);
    if (waits()) {
      of_.line_.leave(*this);
      throw async::flow_cancelled{};
    }
  }
  return guard(of_);
}

}  // namespace mailroom
