#include <mailroom/actors/endpoint_actor.hpp>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/intrusive/inbox_result.hpp>
#include <caf/mailbox_element.hpp>

#include <utility>

namespace mailroom::actors {

/// "Your activation wants a turn." At most one lies in a mailbox.
struct doorbell {};

}  // namespace mailroom::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(mailroom::actors::doorbell)

namespace mailroom::actors {
namespace {

caf::mailbox_element_ptr make_doorbell() {
  return caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, doorbell{});
}

}  // namespace

endpoint_actor::endpoint_actor(caf::actor_config& config, making&& from)
    : caf::event_based_actor(config),
      home_(&from.home),
      worker_(from.worker),
      within_(from.within),
      activation_(std::move(from.what), std::move(from.topic), from.calls_out, *this) {}

caf::behavior endpoint_actor::make_behavior() {
  // Not empty, or CAF would end the actor. What CAF actors send gets CAF's usual answer for the
  // unexpected.
  return {[](const doorbell&) {}};
}

caf::resumable::resume_result endpoint_actor::resume(caf::execution_unit*, std::size_t) {
  // One message a turn: the activation bounds its own work, and what it leaves waits behind the
  // other actors.
  return caf::event_based_actor::resume(&within_.units.unit(), 1);
}

void endpoint_actor::submit() noexcept {
  caf::intrusive_ptr_add_ref(ctrl());
  within_.units.hold();
  submit_again();
}

void endpoint_actor::submit_again() noexcept {
  home().submit(static_cast<caf::resumable*>(this), worker());
}

void endpoint_actor::move(rpc::relocation& to) noexcept {
  const auto& there = static_cast<endpoint_relocation&>(to);
  worker_.store(there.worker(), std::memory_order_release);
  home_.store(&there.to(), std::memory_order_release);
}

void endpoint_actor::keep_thread() noexcept {
  if (worker().is_anywhere()) {
    worker_.store(home().own_worker(), std::memory_order_release);
  }
}

// As CAF's own, but for where it goes: to this actor's executor, whoever sends.
void endpoint_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) {
  const auto id = what->mid;
  const auto from = what->sender;
  switch (mailbox().push_back(std::move(what))) {
    case caf::intrusive::inbox_result::unblocked_reader: submit(); break;
    case caf::intrusive::inbox_result::queue_closed:
      if (id.is_request()) {
        caf::detail::sync_request_bouncer bounce{caf::exit_reason::unreachable};
        bounce(from, id);
      }
      break;
    case caf::intrusive::inbox_result::success: break;
  }
}

void endpoint_actor::launch(caf::execution_unit*, bool, bool hide) {
  if (!hide) {
    register_at_system();
  }
  // Idle until the first message, whatever was asked: an endpoint has nothing to do before.
  if (!mailbox().try_block()) {
    submit();
  }
}

caf::invoke_message_result endpoint_actor::consume(caf::mailbox_element& what) {
  if (!what.content().match_elements<doorbell>()) {
    return caf::event_based_actor::consume(what);
  }
  if (activation_.turn()) {
    ring();
  }
  return caf::invoke_message_result::consumed;
}

void endpoint_actor::ring() noexcept {
  enqueue(make_doorbell(), nullptr);
}

}  // namespace mailroom::actors
