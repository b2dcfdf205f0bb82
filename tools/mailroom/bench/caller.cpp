#include <mailroom/tools/mailroom/bench/caller.hpp>

#include <mailroom/framework/async/gather.hpp>

#include <cstring>
#include <utility>
#include <vector>

namespace mailroom::bench {
namespace {

constexpr duration pause_after_failure = std::chrono::milliseconds(1);

bool same(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

caller::caller(const client& to, std::string method, const load& what)
    : to_(to),
      method_(std::move(method)),
      what_(what),
      window_(what),
      period_(what.period()),
      first_due_(window_.begins - what.warm_up) {}

task<void> caller::run(context& ctx) {
  std::vector<task<void>> flows;
  flows.reserve(what_.in_flight);
  for (std::size_t i = 0; i < what_.in_flight; ++i) {
    flows.push_back(flow(ctx));
  }
  co_await gather(std::move(flows));
  measured_.calls = measured_.latency.total();
  measured_.calls_per_s = static_cast<double>(measured_.calls) /
                          std::chrono::duration<double>(window_.ends - window_.begins).count();
}

task<void> caller::flow(context& ctx) {
  std::vector<std::byte> payload(what_.payload);
  // The call packs it before it returns, so that it need not own the bytes.
  const bytes body(wire::frame(), payload);
  time_point made = clock::now();
  while (true) {
    if (period_ > duration::zero()) {
      made = first_due_ + static_cast<std::int64_t>(begun_++) * period_;
      if (const auto early = made - clock::now(); early > duration::zero() && made < window_.ends) {
        co_await ctx.sleep(early);
      }
    }
    // Behind its rate, it does not go on to make what was due.
    if (made >= window_.ends || (period_ > duration::zero() && clock::now() >= window_.ends)) {
      co_return;
    }
    random_.fill(payload);
    const auto answer = co_await to_.async_call<bytes>(method_, body);
    const time_point now = clock::now();
    judge(answer, payload, made, now);
    if (!answer) {
      co_await ctx.sleep(pause_after_failure);
    }
    made = now;
  }
}

void caller::judge(const result<bytes>& answer,
                   std::span<const std::byte> sent,
                   time_point made,
                   time_point now) {
  if (!answer) {
    measured_.failed(answer.error().to_string());
  } else if (!same(answer->view(), sent)) {
    measured_.failed("an answer differs from what was sent");
  } else if (window_.holds(now)) {
    measured_.latency.record(now - made);
  }
}

}  // namespace mailroom::bench
