#include <mailroom/tools/mailroom/bench/caster.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace mailroom::bench {

caster::caster(const client& to, std::string method, const load& what)
    : to_(to),
      method_(std::move(method)),
      burst_(std::max<std::int64_t>(static_cast<std::int64_t>(what.in_flight) / 2, 1)),
      payload_(what.payload),
      period_(what.period()),
      window_(what) {}

task<void> caster::run(context& ctx) {
  const auto before = co_await ask();
  if (!before) {
    measured_.failed(before.error().to_string());
    co_return;
  }
  before_ = *before;
  auto load = period_ > 0ns ? keep_to_rate(ctx) : flat_out();
  begun_ = clock::now();
  const bool well = co_await std::move(load);
  if (well) {
    finish();
  }
}

task<bool> caster::flat_out() {
  time_point since = clock::now();
  auto question = ask();
  for (time_point now = since; now < window_.ends; now = clock::now()) {
    send(burst_);
    auto next = ask();
    const auto answer = co_await question;
    if (!take(answer, since)) {
      co_return false;
    }
    question = std::move(next);
    since = now;
  }
  const auto last = co_await question;
  co_return take(last, since);
}

task<bool> caster::keep_to_rate(context& ctx) {
  time_point due = clock::now();
  for (time_point now = due; now < window_.ends; now = clock::now()) {
    if (due > now) {
      co_await ctx.sleep(std::min(due, window_.ends) - now);
      continue;
    }
    const auto count = std::min<std::int64_t>((now - due) / period_ + 1, burst_);
    send(count);
    const time_point since = std::exchange(due, due + count * period_);
    const auto answer = co_await ask();
    if (!take(answer, since)) {
      co_return false;
    }
  }
  co_return true;
}

call_operation<std::uint64_t> caster::ask() const {
  return to_.async_call<std::uint64_t>("received");
}

void caster::send(std::int64_t count) {
  std::vector<std::byte> payload(payload_);
  const bytes body(wire::frame(), payload);
  for (; count > 0; --count) {
    random_.fill(payload);
    if (const auto accepted = to_.cast(method_, body); !accepted) {
      measured_.failed(accepted.error().to_string());
    } else {
      ++sent_;
    }
  }
  sent_at_ = clock::now();
}

bool caster::take(const result<std::uint64_t>& answer, time_point since) {
  if (!answer) {
    measured_.failed(answer.error().to_string());
    return false;
  }
  last_ = {clock::now(), *answer - before_, sent_};
  if (window_.holds(since)) {
    measured_.latency.record(last_.when - since);
  }
  if (!first_ && last_.when >= window_.begins) {
    first_ = last_;
  }
  return true;
}

void caster::finish() {
  if (last_.received == 0 && sent_ > 0) {
    measured_.failed("sent " + std::to_string(sent_) + " casts of method '" + method_ +
                     "', no server's handler has received any: is there such a method?");
    return;
  }
  if (last_.received != sent_) {
    measured_.errors += last_.received < sent_ ? sent_ - last_.received : last_.received - sent_;
    measured_.first_error =
        "sent " + std::to_string(sent_) + ", received " + std::to_string(last_.received);
  }
  if (!first_ || last_.when == first_->when) {
    measured_.failed("nothing arrived in time");
    return;
  }
  measured_.calls = last_.received - first_->received;
  measured_.received_per_s = static_cast<double>(measured_.calls) /
                             std::chrono::duration<double>(last_.when - first_->when).count();
  // By its own clock, over what was sent in the window; over all if that was only waited for.
  const bool sent_since = sent_ > first_->sent && sent_at_ > first_->when;
  const std::uint64_t sent = sent_since ? sent_ - first_->sent : sent_;
  measured_.calls_per_s =
      static_cast<double>(sent) /
      std::chrono::duration<double>(sent_at_ - (sent_since ? first_->when : begun_)).count();
}

}  // namespace mailroom::bench
