#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/caller.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>
#include <mailroom/framework/rpc/stop_signal.hpp>

namespace mailroom::rpc {

stop_signal::owner stop_signal::make(activation& at,
                                     const async::flow& of,
                                     const caller* from,
                                     bool shared) {
  owner made(new stop_signal(at, of, from, shared));
  const bool given_up = from != nullptr && of.call != 0 &&
                        ((from->has_gone() && !shared) || at.is_given_up(*from, of.call));
  if (at.has_ended() || given_up || of.until.passed(at.now())) {
    made->source_.request_stop();
    return made;
  }
  at.list(*made);
  if (!of.until.is_none()) {
    at.arm(*made, of.until.at());
  }
  return made;
}

void stop_signal::stop() noexcept {
  leave();
  // Callbacks run on the turn of their endpoint and can wait no more than a plain handler.
  async::flow callbacks;
  callbacks.where = &at_;
  callbacks.how = async::style::plain;
  callbacks.until = of_.until;
  callbacks.priority = of_.priority;
  callbacks.name = of_.name;
  callbacks.within = of_.within;
  const async::flow_scope scope(&callbacks);
  std::stop_source kept = source_;
  kept.request_stop();
}

// What several wait for goes on when the connection of one of them has ended: it will come again.
bool stop_signal::is_given_up_by(const cancel_note& what) const noexcept {
  return what.names(from_, of_.call) && !(what.all() && shared_);
}

void stop_signal::request() noexcept {
  at_.cancel(*this);
  if (!noticed_) {
    on_time();
  }
}

void stop_signal::let_go() noexcept {
  leave();
  at_.cancel(*this);
  if (noticed_) {
    let_go_ = true;  // The notice is the last owner.
  } else {
    delete this;
  }
}

void stop_signal::leave() noexcept {
  if (listed_) {
    at_.unlist(*this);
  }
}

void stop_signal::on_time() noexcept {
  noticed_ = true;
  at_.post(*this);
}

// What is left of one that was let go is no handler's either.
bool stop_signal::beside_handlers() const noexcept {
  return let_go_ || at_.is_occupied_by(of_);
}

void stop_signal::run() noexcept {
  noticed_ = false;
  if (let_go_) {
    delete this;
  } else {
    stop();
  }
}

}  // namespace mailroom::rpc
