#include <mailroom/actors/scheduler.hpp>

#include <caf/actor_config.hpp>
#include <caf/logger.hpp>
#include <caf/make_actor.hpp>
#include <caf/message_handler.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/resumable.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace mailroom::actors {
namespace {

constexpr std::chrono::seconds longest_wait(5);
constexpr duration time_slice = 1ms;

// CAF's default handlers print through the scheduler's printer and crash without one. Its own is a
// thread; this one prints on the thread that asks.
class inline_printer final : public caf::monitorable_actor {
 public:
  explicit inline_printer(caf::actor_config& config) : caf::monitorable_actor(config) {
    print_.assign([](caf::add_atom, caf::actor_id, const std::string& text) { std::cerr << text; });
  }
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) override {
    print_(what->content());
  }

 private:
  caf::message_handler print_;
};

// Counts arrivals.
class headcount {
 public:
  void arrive() {
    const std::lock_guard lock(mutex_);
    ++here_;
    changed_.notify_all();
  }
  void wait_for(std::size_t all, duration at_most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, at_most, [&] { return here_ == all; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t here_ = 0;  // Guarded by mutex_.
};

// Runs a function as a turn of an executor, once.
class visitor final : public caf::resumable {
 public:
  explicit visitor(std::function<void()> then) : then_(std::move(then)) {}
  resume_result resume(caf::execution_unit*, std::size_t) override {
    then_();
    return done;
  }
  void intrusive_ptr_add_ref_impl() override {}
  void intrusive_ptr_release_impl() override { delete this; }

 private:
  const std::function<void()> then_;
};

}  // namespace

scheduler::scheduler(caf::actor_system& system, executors::executor& usual, platform& host)
    : caf::scheduler::abstract_coordinator(system),
      usual_(usual),
      host_(host),
      clock_(usual, *this, host),
      unit_(*this) {
  usual_.set_owner(this);
}

void scheduler::start() {
  caf::actor_config config{&unit_};
  utility_actors_[printer_id] = caf::make_actor<inline_printer, caf::actor>(
      system().next_actor_id(), system().node(), &system(), config);
}

void scheduler::stop() {
  const time_point until = host_.now() + longest_wait;
  bool was_quiet = false;
  do {
    was_quiet = is_quiet();
    visit_threads(until);  // Each round waits behind what is scheduled.
  } while (!was_quiet && host_.now() < until);
  while (!is_quiet() && host_.now() < until) {
    std::this_thread::yield();  // The visitors themselves are about to be let go of.
  }
  clock_.cancel_all();
  utility_actors_[printer_id] = nullptr;
  usual_.set_owner(nullptr);
}

// CAF has every thread that spawns keep the actor system's logger, and the actor system wait for
// all of them at its end. Those of the executor live on: they must let go before.
void scheduler::visit_threads(time_point until) {
  const auto visited = std::make_shared<headcount>();
  const auto workers = usual_.all_workers();
  for (const auto worker : workers) {
    visit(usual_, worker, [visited] {
      CAF_SET_LOGGER_SYS(nullptr);
      visited->arrive();
    });
  }
  visited->wait_for(workers.size(), until - host_.now());
}

void scheduler::visit(executors::executor& on,
                      executors::affinity worker,
                      std::function<void()> then) {
  hold();
  on.submit(static_cast<caf::resumable*>(new visitor(std::move(then))), worker);
}

void scheduler::enqueue(caf::resumable* runnable) {
  hold();
  usual_.submit(runnable);
}

executors::verdict scheduler::run_turn(void* item, executors::executor& where) noexcept {
  auto* const of = static_cast<scheduler*>(where.owner());
  if (of == nullptr) {
    return executors::verdict::done;  // Of a system that has ended without waiting any longer.
  }
  return of->run(*static_cast<caf::resumable*>(item));
}

executors::verdict scheduler::run(caf::resumable& runnable) noexcept {
  // Endpoints, which call themselves io_actor, bound their turns themselves.
  const bool again = runnable.subtype() == caf::resumable::scheduled_actor
                         ? run_slice(runnable)
                         : wants_more(runnable, max_throughput());
  if (again) {
    return executors::verdict::again;
  }
  caf::intrusive_ptr_release(&runnable);
  let_go();
  return executors::verdict::done;
}

bool scheduler::wants_more(caf::resumable& runnable, std::size_t after_messages) noexcept {
  return runnable.resume(&unit_, after_messages) == caf::resumable::resume_later;
}

// CAF bounds a turn in messages, but how long one takes nobody knows before. So first there is one,
// then twice as many each time until the slice is over: a turn of long ones is not much longer than
// that, and one of short ones seldom looks at the clock.
bool scheduler::run_slice(caf::resumable& actor) noexcept {
  time_point ends = time_point::max();
  std::size_t left = max_throughput();
  for (std::size_t some = 1; wants_more(actor, some); some = std::min(2 * some, left)) {
    const time_point now = host_.now();
    left -= some;
    if (left == 0 || now >= ends) {
      return true;
    }
    ends = std::min(ends, now + time_slice);
  }
  return false;
}

// ---------------------------------------------------------------- clock

void executor_clock::arm() {
  if (!schedule().empty()) {
    on_.arm(*this, schedule().begin()->first);
  }
}

void executor_clock::deliver() {
  const std::lock_guard lock(mutex_);
  trigger_expired_timeouts();
  arm();
}

void executor_clock::set_ordinary_timeout(time_point t,
                                          caf::abstract_actor* self,
                                          caf::atom_value type,
                                          std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::set_ordinary_timeout(t, self, type, id);
  arm();
}

void executor_clock::set_multi_timeout(time_point t,
                                       caf::abstract_actor* self,
                                       caf::atom_value type,
                                       std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::set_multi_timeout(t, self, type, id);
  arm();
}

void executor_clock::set_request_timeout(time_point t,
                                         caf::abstract_actor* self,
                                         caf::message_id id) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::set_request_timeout(t, self, id);
  arm();
}

void executor_clock::cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::cancel_ordinary_timeout(self, type);
}

void executor_clock::cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::cancel_request_timeout(self, id);
}

void executor_clock::cancel_timeouts(caf::abstract_actor* self) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::cancel_timeouts(self);
}

void executor_clock::schedule_message(time_point t,
                                      caf::strong_actor_ptr receiver,
                                      caf::mailbox_element_ptr content) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::schedule_message(t, std::move(receiver), std::move(content));
  arm();
}

void executor_clock::schedule_message(time_point t,
                                      caf::group target,
                                      caf::strong_actor_ptr sender,
                                      caf::message content) {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::schedule_message(t, std::move(target), std::move(sender), std::move(content));
  arm();
}

void executor_clock::cancel_all() {
  const std::lock_guard lock(mutex_);
  simple_actor_clock::cancel_all();
}

}  // namespace mailroom::actors
