#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/loop_bound.hpp>
#include <mailroom/framework/executors/turn_watch.hpp>

#include <atomic>
#include <cassert>
#include <functional>
#include <future>
#include <utility>

namespace mailroom::executors {
namespace {

// Beyond what was queued when it began: turns that answer each other need no pass each, and what
// they send leaves soon enough.
constexpr std::size_t turns_per_pass = 64;
constexpr duration time_per_pass = 20us;

}  // namespace

/// One loop's queue.
class loop_bound::seat final : public event_loop::source {
 public:
  seat(loop_bound& all, event_loop& loop) noexcept
      : source(event_loop::phase::work), all_(all), loop_(loop), mark_(all.with_.watch, all) {}

  event_loop& loop() noexcept { return loop_; }

  void submit(void* item) noexcept {
    if (loop_.on_loop_thread()) {
      if (!closed_) {
        queue_.push(item);
        loop_.ready(*this);
      }
    } else if (queue_.push_from_outside(item)) {
      loop_.notify(*this);
    }
  }

  void on_ready() noexcept override {
    if (!all_.started_.load(std::memory_order_acquire)) {
      return;
    }
    if (!marked_) {
      mark_.enter();
      marked_ = true;
    }
    const platform& host = *all_.with_.host;
    const time_point began = meter_.begin(host);
    time_point now = began;
    const std::size_t queued = queue_.available();
    for (std::size_t turns = 0; turns < queued || (turns < turns_per_pass &&
                                                   now - began < time_per_pass && !queue_.empty());
         ++turns) {
      if (draining() && stop_at_.passed(now)) {
        break;
      }
      void* const item = queue_.pop();
      mark_.begin(now);
      const verdict wants = all_.with_.run(item, all_);
      now = meter_.end_turn(host);
      if (wants == verdict::again) {
        queue_.push(item);
      }
    }
    mark_.rest();
    if (draining() && (queue_.empty() || stop_at_.passed(now))) {
      drained_->set_value();
      drained_.reset();
    } else if (!queue_.empty()) {
      loop_.ready(*this);
    }
  }

  /// Blocks until the queue was empty once or `until` has passed. False if the loop's thread is
  /// gone.
  bool drain(deadline until) {
    return on_loop([this, until](std::shared_ptr<std::promise<void>> done) {
      stop_at_ = until;
      drained_ = std::move(done);
      loop_.ready(*this);
    });
  }

  /// Leaves the loop; blocks. What is left is in the queue.
  std::vector<void*> close() {
    std::vector<void*> left;
    const auto leave = [&] {
      loop_.forget(*this);
      mark_.leave();
      closed_ = true;
      left = queue_.close();
    };
    const bool left_there = on_loop([&](const std::shared_ptr<std::promise<void>>& done) {
      leave();
      done->set_value();
    });
    if (!left_there) {
      leave();
    }
    return left;
  }

  void add_to(statistics& sum) const {
    meter_.add_to(sum);
    mark_.add_to(sum);
    sum.queued += queue_.size();
    sum.hops += queue_.hops();
    const auto loop = loop_.stats();
    sum.parks += loop.sleeps;
    sum.wakeups += loop.wakeups;
  }

  std::uint64_t turns() const noexcept { return meter_.turns.get(); }
  bool is_stuck() const noexcept { return mark_.is_stuck(); }

 private:
  bool draining() const noexcept { return drained_ != nullptr; }

  // Runs `what` on the loop and waits until the promise it is given was kept. A loop that has
  // stopped destroys the task and the promise with it.
  bool on_loop(std::function<void(std::shared_ptr<std::promise<void>>)> what) {
    if (!loop_.is_running()) {
      return false;
    }
    auto done = std::make_shared<std::promise<void>>();
    auto kept = done->get_future();
    loop_.post(
        [what = std::move(what), done = std::move(done)]() mutable { what(std::move(done)); });
    try {
      kept.get();
      return true;
    } catch (const std::future_error&) {
      return false;
    }
  }

  loop_bound& all_;
  event_loop& loop_;
  turn_queue queue_;
  turn_meter meter_;
  turn_mark mark_;
  bool marked_ = false;  // Loop thread only.
  bool closed_ = false;  // Loop thread only, as the rest.
  deadline stop_at_;
  std::shared_ptr<std::promise<void>> drained_;  // Set while somebody waits in `drain`.
};

loop_bound::loop_bound(options with) : with_(std::move(with)) {
  assert(with_.run != nullptr && !with_.loops.empty());
  for (event_loop* const loop : with_.loops) {
    seats_.push_back(std::make_unique<seat>(*this, *loop));
  }
}

loop_bound::~loop_bound() {
  if (!stopped_) {
    stop(deadline(time_point::min()));
  }
}

void loop_bound::start() {
  started_.store(true, std::memory_order_release);
  for (const auto& s : seats_) {
    s->loop().notify(*s);  // For what was submitted before.
  }
}

std::size_t loop_bound::here() const noexcept {
  const event_loop* const current = event_loop::current();
  for (std::size_t i = 0; i != with_.loops.size(); ++i) {
    if (with_.loops[i] == current) {
      return i;
    }
  }
  return with_.loops.size();
}

void loop_bound::submit(void* item, affinity where) noexcept {
  std::size_t index = 0;
  if (seats_.size() != 1) {
    index = where.is_anywhere() ? here() : where.index();
    index = index < seats_.size() ? index : where.is_anywhere() ? 0 : index % seats_.size();
  }
  seats_[index]->submit(item);
}

void loop_bound::arm(timer& t, time_point due) noexcept {
  const std::size_t index = here();
  with_.loops[index < with_.loops.size() ? index : 0]->arm(t, due);
}

bool loop_bound::on_own_thread() const noexcept {
  return here() != with_.loops.size();
}

affinity loop_bound::own_worker() const noexcept {
  return on_own_thread() ? affinity::worker(static_cast<std::uint32_t>(here()))
                         : affinity::anywhere();
}

bool loop_bound::is_stuck(affinity where) const noexcept {
  return !where.is_anywhere() && seats_[where.index() % seats_.size()]->is_stuck();
}

event_loop* loop_bound::loop_of(affinity where) const noexcept {
  return with_.loops[where.is_anywhere() ? 0 : where.index() % with_.loops.size()];
}

statistics loop_bound::stats() const {
  statistics all;
  all.name = with_.name;
  all.policy = policy();
  all.threads = seats_.size();
  for (const auto& s : seats_) {
    s->add_to(all);
  }
  return all;
}

std::vector<void*> loop_bound::stop(deadline until) {
  assert(!on_own_thread());
  stopped_ = true;
  // A turn on one loop may submit to another that was empty already. Only when a whole round finds
  // all empty and no turn ran since the round before, nothing is left.
  const auto turns = [this] {
    std::uint64_t sum = 0;
    for (const auto& s : seats_) {
      sum += s->turns();
    }
    return sum;
  };
  bool more = started_.load(std::memory_order_relaxed);
  while (more) {
    const std::uint64_t before = turns();
    for (const auto& s : seats_) {
      more = s->drain(until) && more;
    }
    more = more && turns() != before && !until.passed(with_.host->now());
  }
  std::vector<void*> left;
  for (const auto& s : seats_) {
    for (void* const item : s->close()) {
      left.push_back(item);
    }
  }
  return left;
}

}  // namespace mailroom::executors
