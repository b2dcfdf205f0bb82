#include <mailroom/framework/rpc/client.hpp>

#include <algorithm>
#include <string>

namespace mailroom {

client::client(rpc::connector& through, target_view to)
    : through_(&through),
      to_{.exchange = std::string(to.exchange),
          .topic = std::string(to.topic),
          .name_space = std::string(to.name_space),
          .version = std::string(to.version),
          .server = std::string(to.server),
          .fanout = to.fanout} {}

client client::prepare(call_options options) const {
  client other(*this);
  if (options.timeout) {
    other.timeout_ = *options.timeout;
  }
  if (options.name_space) {
    other.to_.name_space = *options.name_space;
  }
  if (options.version) {
    other.to_.version = *options.version;
  }
  if (options.server) {
    other.to_.server = *options.server;
  }
  if (options.fanout) {
    other.to_.fanout = *options.fanout;
  }
  if (options.wait_for_ready) {
    other.with_.wait_for_ready = *options.wait_for_ready;
  }
  if (options.priority) {
    other.priority_ = std::min(*options.priority, wire::highest_priority);
  }
  if (options.retries) {
    other.with_.retries = *options.retries;
  }
  if (options.idempotent) {
    other.with_.idempotent = options.idempotent;
  }
  if (options.key) {
    other.with_.spread_by = rpc::hash_of_key(*options.key);
    other.with_.among = balance::by_key;
  }
  if (options.balance) {
    other.with_.among = *options.balance;
  }
  return other;
}

result<const rpc::method_name*> client::learn(std::string_view method) const {
  if (auto good = rpc::check_target(to_); !good) {
    return good.error();
  }
  if (with_.among == balance::by_key && with_.spread_by == 0) {
    return error(errc::invalid_value,
                 execution::not_run,
                 "balance::by_key without a key to go by: give call_options::key");
  }
  if (method.size() > wire::max_text) {
    return error(errc::no_such_method,
                 execution::not_run,
                 "a method's name of " + std::to_string(method.size()) +
                     " bytes, over the limit of " + std::to_string(wire::max_text));
  }
  const auto name = through_->name(to_, method);
  if (name) {
    for (auto& each : known_) {
      const rpc::method_name* nothing = nullptr;
      if (each.compare_exchange_strong(nothing, *name, std::memory_order_acq_rel)) {
        break;
      }
    }
  }
  return name;
}

rpc::call_settings client::settings() const noexcept {
  rpc::call_settings with = with_;
  const async::flow* here = async::current_flow();
  const time_point now = here == nullptr ? through_->now() : here->where->now();
  with.until = deadline::after(now, timeout_);
  with.priority = priority_.value_or(here == nullptr ? 0 : here->priority);
  if (here != nullptr) {
    with.until = earlier(with.until, here->until);
  }
  if (with.until.passed(now)) {
    with.until = deadline(time_point());  // Also for a loop whose clock is a moment behind.
  }
  return with;
}

error client::would_block(std::string_view method, const async::flow& here) {
  return error(errc::would_block,
               execution::not_run,
               "call of '" + std::string(method) + "' inside " + std::string(here.name) +
                   (here.how == async::style::plain ? ", a plain handler" : ", a coroutine") +
                   ": register " + std::string(here.name) +
                   " as suspending, or return task<T> and co_await async_call");
}

ref<rpc::pending_call> client::failed(const error& why) const {
  static const rpc::method_name nothing;
  auto call =
      make_ref<rpc::pending_call>(nothing, rpc::pending_call::kind::call, rpc::call_settings{});
  call->fail(why);
  return call;
}

}  // namespace mailroom
