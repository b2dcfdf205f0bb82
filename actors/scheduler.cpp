#include <mailroom/actors/scheduler.hpp>

#include <caf/actor_config.hpp>
#include <caf/make_actor.hpp>
#include <caf/message_handler.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/resumable.hpp>

#include <chrono>
#include <iostream>
#include <string>

namespace mailroom::actors {
namespace {

constexpr std::size_t messages_per_turn = 100;
constexpr std::chrono::seconds longest_wait(5);

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

}  // namespace

scheduler::scheduler(caf::actor_system& system, executors::executor& usual)
    : caf::scheduler::abstract_coordinator(system),
      usual_(usual),
      clock_(usual, *this),
      unit_(*this) {}

void scheduler::start() {
  caf::actor_config config{&unit_};
  utility_actors_[printer_id] = caf::make_actor<inline_printer, caf::actor>(
      system().next_actor_id(), system().node(), &system(), config);
}

void scheduler::stop() {
  if (scheduled_.fetch_or(stopping, std::memory_order_acq_rel) != 0) {
    std::unique_lock lock(mutex_);
    none_scheduled_.wait_for(lock, longest_wait, [this] { return drained_; });
  }
  clock_.cancel_all();
  utility_actors_[printer_id] = nullptr;
}

void scheduler::let_go() noexcept {
  if (scheduled_.fetch_sub(1, std::memory_order_acq_rel) == (stopping | 1U)) {
    const std::lock_guard lock(mutex_);
    drained_ = true;
    none_scheduled_.notify_all();
  }
}

void scheduler::enqueue(caf::resumable* runnable) {
  hold();
  usual_.submit(runnable);
}

executors::verdict scheduler::run(caf::resumable& runnable) noexcept {
  switch (runnable.resume(&unit_, messages_per_turn)) {
    case caf::resumable::resume_later: return executors::verdict::again;
    case caf::resumable::done:
    case caf::resumable::awaiting_message:
    case caf::resumable::shutdown_execution_unit: break;
  }
  caf::intrusive_ptr_release(&runnable);
  let_go();
  return executors::verdict::done;
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
