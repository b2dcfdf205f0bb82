#include <mailroom/services/metering/signal.hpp>

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

namespace mailroom::metering {

class signal::alarm final : public executors::timer, public async::completion {
 public:
  void on_time() noexcept override { complete(); }
};

// However the wait ends, by cancellation too: nobody may know the alarm any more.
class signal::armed {
 public:
  armed(signal& what, alarm& one, async::home& where) : what_(what), one_(one), where_(where) {}
  armed(const armed&) = delete;
  armed& operator=(const armed&) = delete;
  ~armed() {
    where_.cancel(one_);
    const std::lock_guard lock(what_.mutex_);
    what_.waiting_ = nullptr;
    what_.raised_ = false;
  }

 private:
  signal& what_;
  alarm& one_;
  async::home& where_;
};

signal::signal() = default;
signal::~signal() = default;

void signal::raise() noexcept {
  const std::lock_guard lock(mutex_);
  raised_ = true;
  if (waiting_ != nullptr) {
    waiting_->complete();
  }
}

task<void> signal::wait(duration longest) {
  alarm one;
  async::home& where = *async::current_flow()->where;
  {
    const std::lock_guard lock(mutex_);
    if (raised_) {
      raised_ = false;
      co_return;
    }
    waiting_ = &one;
  }
  where.arm(one, where.now() + longest);
  const armed until_done(*this, one, where);
  co_await async::until(one);
}

}  // namespace mailroom::metering
