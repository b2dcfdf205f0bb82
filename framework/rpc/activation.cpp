#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/blocking_call.hpp>
#include <mailroom/framework/rpc/call_queue.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/method.hpp>
#include <mailroom/framework/rpc/stop_signal.hpp>
#include <mailroom/framework/rpc/ticker.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace mailroom::rpc {
namespace {

constexpr duration time_slice = std::chrono::milliseconds(1);
// Of so many pieces of work one is a new call, if there is one; a call that is refused is such a
// piece.
constexpr std::uint32_t calls_per_new = 16;
// Reading the clock takes as long as resuming a coroutine. As long as that is all that happens it
// is read after so many only, and a turn that meets a long piece may last for as many.
constexpr std::uint32_t most_unseen_work = 4;
constexpr duration short_work = time_slice / 16;

class idle_mark_type final : public async::work {
 public:
  void run() noexcept override {}
};
idle_mark_type idle_mark;

error stopping() {
  return error(errc::stopping, "the server is stopping; the call has not run");
}

void append(async::work*& first, async::work*& last, async::work* more) noexcept {
  more->next = nullptr;
  if (first == nullptr) {
    first = more;
  } else {
    last->next = more;
  }
  last = more;
}

async::work* take_first(async::work*& first) noexcept {
  async::work* taken = first;
  first = taken->next;
  taken->next = nullptr;
  return taken;
}

}  // namespace

activation::activation(std::shared_ptr<const endpoint_definition> what,
                       std::string topic,
                       connector& calls_out,
                       runner& served_by)
    : inbox_(&idle_mark),
      definition_(std::move(what)),
      topic_(std::move(topic)),
      calls_out_(calls_out),
      runner_(served_by) {}

activation::~activation() {
  end_ticks();
  take_inbox();
  set_aside none;
  set_aside& others = aside_ ? *aside_ : none;
  for (async::work** list : {&others.held, &others.late_ticks, &arrived_}) {
    while (*list != nullptr) {
      take_first(*list)->dropped();
    }
  }
  for (; !queue_.empty(); refill_queue()) {
    queue_.remove(queue_.oldest());
  }
  if (moving_) {
    moving_->left = false;
  }
  refuse_relocations();
}

void activation::post(async::work& todo) noexcept {
  async::work* head = inbox_.load(std::memory_order_relaxed);
  do {
    todo.next = head == &idle_mark ? nullptr : head;
  } while (!inbox_.compare_exchange_weak(
      head, &todo, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (head == &idle_mark) {
    runner_.ring();
  }
}

void activation::take_inbox() noexcept {
  async::work* newest = inbox_.load(std::memory_order_relaxed) == nullptr
                            ? nullptr
                            : inbox_.exchange(nullptr, std::memory_order_acquire);
  if (newest == &idle_mark) {
    return;
  }
  async::work* oldest = nullptr;
  async::work* last = newest;
  while (newest != nullptr) {
    async::work* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  if (oldest != nullptr) {
    if (arrived_ == nullptr) {
      arrived_ = oldest;
    } else {
      arrived_last_->next = oldest;
    }
    arrived_last_ = last;
  }
}

inline bool activation::may_start() const noexcept {
  return !queue_.empty() && moving_ == nullptr && occupant_ == nullptr &&
         (!definition_->exclusive || running_.load(std::memory_order_relaxed) == 0);
}

inline time_point activation::after_work() noexcept {
  const time_point answered = std::exchange(answered_at_, never);
  return answered != never ? answered : runner_.now();
}

bool activation::turn() noexcept {
  std::uint32_t unseen_work = 0;  // Pieces since `now`.
  std::uint32_t look_after = 1;
  caller::begin_of_turn();
  if (moving_) {
    arrive();
  }
  obey();
  time_point now = runner_.now();
  const time_point slice_ends = now + time_slice;
  for (std::size_t done = 0; done < max_calls && now < slice_ends && !(moving_ && leaves());
       ++done) {
    if (arrived_ == nullptr) {
      take_inbox();
    }
    if (occupant_ != nullptr) {
      if (!run_beside()) {
        break;
      }
      now = after_work();
      continue;
    }
    if (aside_ && run_late_tick()) {
      now = after_work();
      continue;
    }
    // What continues goes before what is new, or a flood of new calls would starve the running
    // ones; but handlers that continue each other for ever must not keep every new call out either.
    // However long a new call takes, the rest has its share of time: so what arrives and has no
    // room hears of it soon.
    const bool turn_of_the_new =
        since_new_ >= calls_per_new - 1 && now >= rest_until_ && may_start();
    if (arrived_ != nullptr && !turn_of_the_new) {
      worked(1);
      take_first(arrived_)->run();
      if (++unseen_work < look_after && answered_at_ == never) {
        continue;
      }
      const time_point before = std::exchange(now, after_work());
      look_after = now - before < short_work ? std::min(look_after * 2, most_unseen_work) : 1;
      unseen_work = 0;
    } else if (may_start()) {
      since_new_ -= std::min(since_new_, calls_per_new - 1);
      const time_point begun = std::exchange(unseen_work, 0) == 0 ? now : runner_.now();
      const method* const started = start_next(begun);
      now = after_work();
      if (started != nullptr) {
        started->has_run(now - begun);
      }
      rest_until_ = now + (now - begun) / calls_per_new;
      continue;
    } else {
      break;
    }
  }
  obey();
  caller::end_of_turn();
  if (quiet()) {
    runner_.quiet();
  }
  if (arrived_ != nullptr || may_start() || (moving_ && fibers_ == 0) ||
      (aside_ && aside_->late_ticks != nullptr && may_tick())) {
    return true;
  }
  async::work* nothing = nullptr;
  return !inbox_.compare_exchange_strong(
      nothing, &idle_mark, std::memory_order_acq_rel, std::memory_order_relaxed);
}

void activation::accept(call_batch& arrived) noexcept {
  const auto calls = static_cast<std::uint32_t>(arrived.left());
  enqueue(arrived);
  accepted_.store(accepted_.load(std::memory_order_relaxed) + calls, std::memory_order_release);
}

void activation::enqueue(call_batch& arrived) noexcept {
  if (!is_open()) {
    refuse(arrived, 0, stopping());
    delete &arrived;
    return;
  }
  if (definition_->exclusive && arrived.has_chains() && running() > 0) {
    sort_out_own_chain(arrived);
  }
  if (queued_.load(std::memory_order_relaxed) + arrived.left() > definition_->queue_limit) {
    make_room_for(arrived);
  }
  if (arrived.left() == 0) {
    delete &arrived;
    return;
  }
  queued_.store(
      queued_.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(arrived.left()),
      std::memory_order_relaxed);
  if (definition_->when_full == queue_policy::by_priority) {
    keep_by_priority(arrived);
  } else {
    queue_.append(arrived);
  }
}

void activation::flow_begins() noexcept {
  running_.store(running_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void activation::flow_ends() noexcept {
  running_.store(running_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
}

void activation::stop() noexcept {
  phase open = phase::open;
  if (wanted_.compare_exchange_strong(open, phase::stopping)) {
    post(stop_nudge_);
  }
}

void activation::end() noexcept {
  if (wanted_.exchange(phase::ended) != phase::ended) {
    post(end_nudge_);
  }
}

void activation::obey() noexcept {
  const phase wanted = wanted_.load(std::memory_order_acquire);
  if (wanted == seen_.load(std::memory_order_relaxed)) {
    return;
  }
  seen_.store(wanted, std::memory_order_release);
  refuse_queue(stopping());
  refuse_relocations();
  end_ticks();
  if (wanted == phase::ended) {
    if (occupant_ != nullptr) {
      occupant_->end();  // The others when it has ended.
    } else {
      end_handlers();
    }
  }
}

bool activation::may_tick() const noexcept {
  return occupant_ == nullptr &&
         (!definition_->exclusive || running_.load(std::memory_order_relaxed) == 0);
}

void activation::tick_later(async::work& turn) noexcept {
  append(aside().late_ticks, aside().late_ticks_last, &turn);
}

bool activation::run_late_tick() noexcept {
  if (aside_->late_ticks == nullptr || !may_tick()) {
    return false;
  }
  take_first(aside_->late_ticks)->run();
  return true;
}

void activation::end_ticks() noexcept {
  while (aside_ && aside_->ticks != nullptr) {
    aside_->ticks->leave();
  }
}

activation::set_aside& activation::aside() noexcept {
  if (!aside_) {
    aside_ = std::make_unique<set_aside>();
  }
  return *aside_;
}

void activation::end_handlers() noexcept {
  while (signals_ != nullptr) {
    signals_->stop();
  }
  cancel_waiting();
}

void activation::occupy(blocking_call& by) noexcept {
  occupant_ = &by;
  blocked_by_.store(&by.call.what(), std::memory_order_release);
}

void activation::vacate() noexcept {
  occupant_ = nullptr;
  blocked_by_.store(nullptr, std::memory_order_release);
  if (aside_ && aside_->held != nullptr) {
    if (arrived_ == nullptr) {
      arrived_last_ = aside_->held_last;
    }
    aside_->held_last->next = arrived_;
    arrived_ = std::exchange(aside_->held, nullptr);
  }
  if (has_ended()) {
    end_handlers();
  }
}

bool activation::is_occupied_by(const async::flow& handler) const noexcept {
  return occupant_ != nullptr && &occupant_->ctx.flow() == &handler;
}

// One piece of what may run although a blocking handler does; the rest is held back.
bool activation::run_beside() noexcept {
  while (arrived_ != nullptr) {
    async::work* first = take_first(arrived_);
    if (first->beside_handlers()) {
      first->run();
      return true;
    }
    append(aside().held, aside().held_last, first);
  }
  return false;
}

void activation::list(stop_signal& handler) noexcept {
  handler.listed_ = true;
  handler.older_ = signals_;
  if (signals_ != nullptr) {
    signals_->newer_ = &handler;
  }
  signals_ = &handler;
}

void activation::unlist(stop_signal& handler) noexcept {
  handler.listed_ = false;
  (handler.newer_ != nullptr ? handler.newer_->older_ : signals_) = handler.older_;
  if (handler.older_ != nullptr) {
    handler.older_->newer_ = handler.newer_;
  }
}

void activation::list(tick& begun) noexcept {
  tick*& newest = aside().ticks;
  begun.older_ = newest;
  if (newest != nullptr) {
    newest->newer_ = &begun;
  }
  newest = &begun;
}

void activation::unlist(tick& left) noexcept {
  (left.newer_ != nullptr ? left.newer_->older_ : aside_->ticks) = left.older_;
  if (left.older_ != nullptr) {
    left.older_->newer_ = left.newer_;
  }
}

}  // namespace mailroom::rpc
