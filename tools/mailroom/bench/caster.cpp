#include <mailroom/tools/mailroom/bench/caster.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace mailroom::bench {

caster::caster(const client& to, std::string method, const load& what)
    : to_(to),
      method_(std::move(method)),
      burst_(std::max<std::size_t>(what.in_flight / 2, 1)),
      payload_(what.payload),
      window_(what) {}

task<void> caster::run(context&) {
  constexpr const char* received = "received";
  const auto before = co_await to_.async_call<std::uint64_t>(received);
  if (!before) {
    measured_.failed(before.error().to_string());
    co_return;
  }
  before_ = *before;
  auto question = to_.async_call<std::uint64_t>(received);
  bool well = true;
  while (well && clock::now() < window_.ends) {
    send_burst();
    auto next = to_.async_call<std::uint64_t>(received);
    well = take(co_await question);
    question = std::move(next);
  }
  if (well && take(co_await question)) {
    finish();
  }
}

void caster::send_burst() {
  std::vector<std::byte> payload(payload_);
  const bytes body(wire::frame(), payload);
  for (std::size_t i = 0; i < burst_; ++i) {
    random_.fill(payload);
    if (const auto accepted = to_.cast(method_, body); !accepted) {
      measured_.failed(accepted.error().to_string());
    } else {
      ++sent_;
    }
  }
}

bool caster::take(const result<std::uint64_t>& answer) {
  if (!answer) {
    measured_.failed(answer.error().to_string());
    return false;
  }
  last_ = {clock::now(), *answer - before_};
  if (!first_ && last_.when >= window_.begins) {
    first_ = last_;
  }
  return true;
}

void caster::finish() {
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
  measured_.calls_per_s = measured_.received_per_s;
}

}  // namespace mailroom::bench
