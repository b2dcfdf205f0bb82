#include <mailroom/tests/bench/node/node_bench.hpp>
#include <mailroom/tests/support/process.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <signal.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <future>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

namespace mailroom::tests::bench {
namespace {

struct load {
  int moves = 200;
  double calls_per_s = 100'000;
  duration between = std::chrono::milliseconds(150);
  duration before = std::chrono::milliseconds(50);
  duration after = std::chrono::milliseconds(100);
  std::size_t flows = 4000;  ///< The most that are out at once.
};

struct sample {
  time_point due;
  duration took;
};

/// Makes each call when it is due, in the first flow that is free.
class open_loop {
 public:
  open_loop(const client& to, const load& what, time_point until)
      : to_(to),
        period_(std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / what.calls_per_s))),
        flows_(what.flows),
        begins_(clock::now()),
        ends_(until) {
    samples_.reserve(static_cast<std::size_t>((ends_ - begins_) / period_) + 1);
  }

  task<void> run(context& ctx) {
    std::vector<task<void>> all;
    all.reserve(flows_);
    for (std::size_t i = 0; i < flows_; ++i) {
      all.push_back(flow(ctx));
    }
    co_await gather(std::move(all));
  }

  std::vector<sample>& samples() noexcept { return samples_; }
  std::uint64_t failed() const noexcept { return failed_; }
  const std::string& first_error() const noexcept { return first_error_; }

 private:
  task<void> flow(context& ctx) {
    const std::string body(64, 'x');
    while (true) {
      const time_point due = begins_ + static_cast<std::int64_t>(begun_++) * period_;
      if (due >= ends_) {
        co_return;
      }
      if (const auto early = due - clock::now(); early > duration::zero()) {
        co_await ctx.sleep(early);
      }
      const auto answer = co_await to_.async_call<std::string>("echo", body);
      if (!answer || *answer != body) {
        if (++failed_ == 1) {
          first_error_ = answer ? "a wrong answer" : answer.error().to_string();
        }
      } else {
        samples_.push_back({due, clock::now() - due});
      }
    }
  }

  const client to_;
  const duration period_;
  const std::size_t flows_;
  const time_point begins_;
  const time_point ends_;
  std::uint64_t begun_ = 0;
  std::uint64_t failed_ = 0;
  std::string first_error_;
  std::vector<sample> samples_;
};

double p99_ms(const std::vector<sample>& from,
              const std::vector<std::pair<time_point, time_point>>& within) {
  std::vector<double> took;
  auto at = from.begin();
  for (const auto& [begin, end] : within) {
    at = std::lower_bound(
        at, from.end(), begin, [](const sample& a, time_point t) { return a.due < t; });
    for (auto each = at; each != from.end() && each->due < end; ++each) {
      took.push_back(std::chrono::duration<double, std::milli>(each->took).count());
    }
  }
  return quantile(took, 0.99);
}

}  // namespace

bool moving(bool smoke) {
  load what;
  if (smoke) {
    what.moves = 5;
    what.calls_per_s = 2000;
    what.flows = 200;
  }
  process server({MAILROOM_COMMAND,
                  "bench",
                  "serve",
                  "--listen",
                  "tcp://127.0.0.1:0",
                  "--executor",
                  "loop-bound"});
  const std::string address = server.read_after("ready ");
  node here({.connect = {address}});
  here.start().value();

  const time_point begins = clock::now();
  open_loop calls(client(here, {.topic = "echo"}).prepare({.timeout = std::chrono::seconds(10)}),
                  what,
                  begins + (what.moves + 2) * what.between);
  auto done = here.run("load", [&](context& ctx) { return calls.run(ctx); });

  static constexpr std::array<const char*, 3> homes{"cooperative", "work-stealing", "loop-bound"};
  std::vector<double> moved_ms;
  std::vector<std::pair<time_point, time_point>> calm;
  std::vector<std::pair<time_point, time_point>> stirred;
  std::string refused;
  for (int i = 0; i < what.moves; ++i) {
    std::this_thread::sleep_until(begins + (i + 1) * what.between);
    wire::buffer asked;
    wire::pack(asked,
               std::tuple(std::string("echo"),
                          std::string(homes[static_cast<std::size_t>(i) % homes.size()]),
                          std::uint32_t{5000}));
    const auto asked_at = clock::now();
    const auto answer = here.admin(address, "place", bytes(std::move(asked)));
    if (!answer) {
      refused = answer.error().to_string();
      break;
    }
    moved_ms.push_back(std::chrono::duration<double, std::milli>(clock::now() - asked_at).count());
    calm.emplace_back(asked_at - what.before, asked_at);
    stirred.emplace_back(asked_at, asked_at + what.after);
  }
  done.get();
  server.signal(SIGTERM);
  const bool ended_well = server.wait() == 0;

  auto& samples = calls.samples();
  std::sort(samples.begin(), samples.end(), [](const sample& a, const sample& b) {
    return a.due < b.due;
  });
  const double seconds = std::chrono::duration<double>(what.moves * what.between).count();
  std::printf("moving: %zu moves in %.1f s, %zu calls (%.0f a second), %llu failed\n",
              moved_ms.size(),
              seconds,
              samples.size(),
              static_cast<double>(samples.size()) /
                  (seconds + 2 * std::chrono::duration<double>(what.between).count()),
              static_cast<unsigned long long>(calls.failed()));
  std::printf(
      "  from the request to the first turn at the new home, ms: p50 %.2f  p99 %.2f  worst %.2f\n",
      quantile(moved_ms, 0.5),
      quantile(moved_ms, 0.99),
      quantile(moved_ms, 1));
  std::printf("  p99 of calls, ms: %.2f in the 50 ms before a move, %.2f in the 100 ms from it\n",
              p99_ms(samples, calm),
              p99_ms(samples, stirred));
  for (const auto& what_failed : {refused, calls.first_error()}) {
    if (!what_failed.empty()) {
      std::fprintf(stderr, "moving: %s\n", what_failed.c_str());
    }
  }
  return refused.empty() && calls.failed() == 0 && ended_well && !samples.empty();
}

}  // namespace mailroom::tests::bench
