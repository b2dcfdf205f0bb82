// What becomes of a call that arrives: refused, known already, or on its way to its endpoint.

#include <mailroom/framework/base/counting.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/inbound_session.hpp>
#include <mailroom/framework/rpc/method.hpp>
#include <mailroom/framework/wire/clock_estimate.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

constexpr std::size_t most_reserved = 1024;  // Calls.

}  // namespace

void inbound_session::post_all(std::vector<std::unique_ptr<call_batch>>& batches) noexcept {
  for (auto& each : batches) {
    activation& to = each->to();
    to.deliver(*each.release());
  }
  batches.clear();
}

result<void> inbound_session::on_call(const wire::message& received,
                                      const wire::frame& whole,
                                      std::uint32_t messages,
                                      time_point now,
                                      bool accepting,
                                      std::vector<std::unique_ptr<call_batch>>& batches) {
  wire::call_head head;
  if (!wire::call_head::read(received.head, head)) {
    return error(errc::protocol_error, "call with fixed fields too short");
  }
  if (head.route >= routes_.size()) {
    return error(errc::protocol_error, "call with a route that was not declared");
  }
  const bool wants_answer = received.what == wire::kind::call;
  ref<call_chain> within = std::move(chain_);
  if (within && chained_ != head.id) {
    within = {};  // Of a call that was not sent after all.
  }
  count(wants_answer ? server_.counters_.calls : server_.counters_.casts, 1);
  if (wants_answer && !from_->admit()) {
    server_.counters_.refused.fetch_add(1, std::memory_order_relaxed);
    wire::write_failure(from_->answers(),
                        head.id,
                        error(errc::busy, "too many calls of this peer are unanswered")
                            .with_retry_after(std::chrono::milliseconds(50)));
    from_->written_unadmitted();
    return {};
  }
  if (!accepting) {
    return refuse(head.id,
                  wants_answer,
                  error(errc::stopping, "the server is stopping; the call has not run"));
  }
  if (!early_.empty() && early_.contains(head.id, now)) {
    count(server_.counters_.cancelled, 1);
    if (wants_answer) {
      wire::write_failure(from_->answers(), head.id, given_up_error());
      from_->written();
    }
    return {};
  }
  const deadline until = to_our_clock(head.deadline);
  if (until.passed(now)) {
    server_.counters_.expired.fetch_add(1, std::memory_order_relaxed);
    return refuse(head.id,
                  wants_answer,
                  error(errc::expired, execution::not_run, "expired before it arrived"));
  }
  if (received.payload.size() > server_.limits_.max_body) {
    return refuse(
        head.id,
        wants_answer,
        error(errc::too_large,
              "the arguments have " + std::to_string(received.payload.size()) +
                  " bytes, over the limit of " + std::to_string(server_.limits_.max_body)));
  }
  auto& route = routes_[head.route];
  if (route.generation != server_.endpoints_.generation()) {
    const auto generation = server_.endpoints_.generation();
    const auto found = server_.endpoints_.find(route.names);
    if (!found) {
      count(server_.counters_.unroutable, 1);
      return refuse(head.id, wants_answer, found.error());
    }
    route.found = *found;
    route.generation = generation;
  }
  const auto& [at, what, among] = route.found;
  const arrived_call call{head.id, until, what, received.payload, wants_answer, head.priority};
  ref<keyed_call> key;
  if (wants_answer && wire::call_head::has_key(received.head) &&
      is_duplicate(wire::call_head::key_in(received.head), head.id, key)) {
    return {};
  }
  if (among != nullptr && head.for_all && !wants_answer) {
    for (activation* each : among->all()) {
      each->expect();
      batch_for(*each, whole, messages, batches).add(call);
    }
    count(server_.counters_.casts, among->all().size() - 1);  // Each ends by itself.
    return {};
  }
  activation& to = among == nullptr ? *at : among->pick(*what, received.payload, within.get());
  call_batch& batch = batch_for(to, whole, messages, batches);
  if (within || key) {
    batch.add(call, std::move(within), std::move(key));
  } else {
    batch.add(call);
  }
  return {};
}

bool inbound_session::is_duplicate(const wire::call_key& key,
                                   std::uint64_t id,
                                   ref<keyed_call>& first) {
  if (server_.answers_ == nullptr || key == wire::call_key{}) {
    return false;
  }
  first = server_.answers_->arrive(key, *from_, id, server_.loop_.now());
  if (first) {
    return false;
  }
  count(server_.counters_.duplicate, 1);
  return true;
}

result<void> inbound_session::on_large_call(const wire::message& received,
                                            const wire::frame& whole,
                                            time_point now,
                                            bool accepting,
                                            std::vector<std::unique_ptr<call_batch>>& batches) {
  wire::call_head head;
  const auto body = wire::call_head::read(received.head, head) ? taker_.body_of(head.id)
                                                               : std::optional<wire::frame>();
  if (!body) {
    return on_call(received, whole, 1, now, accepting, batches);
  }
  wire::message large = received;
  large.payload = body->bytes();
  post_all(batches);
  const auto done = on_call(large, *body, 1, now, accepting, batches);
  post_all(batches);
  return done;
}

call_batch& inbound_session::batch_for(activation& to,
                                       const wire::frame& whole,
                                       std::uint32_t messages,
                                       std::vector<std::unique_ptr<call_batch>>& batches) {
  // The last first: calls for one endpoint usually come in runs.
  for (std::size_t i = batches.size(); i > 0; --i) {
    if (&batches[i - 1]->to() == &to) {
      return *batches[i - 1];
    }
  }
  batches.push_back(std::make_unique<call_batch>(to, from_, whole));
  if (batches.size() == 1) {
    batches.back()->reserve(std::min<std::size_t>(messages, most_reserved));
  }
  return *batches.back();
}

result<void> inbound_session::refuse(std::uint64_t id, bool wants_answer, const error& why) {
  server_.counters_.refused.fetch_add(1, std::memory_order_relaxed);
  if (wants_answer) {
    wire::write_failure(from_->answers(), id, why);
    from_->written();
  }
  return {};
}

deadline inbound_session::to_our_clock(std::int64_t theirs) const noexcept {
  if (theirs == wire::call_head::no_deadline) {
    return deadline::none();
  }
  return deadline(time_point(duration(wire::receiver_deadline(theirs, clocks_->get()))));
}

}  // namespace mailroom::rpc
