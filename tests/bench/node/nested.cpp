#include <mailroom/tests/bench/node/node_bench.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/rpc/context.hpp>

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace mailroom::tests::bench {
namespace {

class inner {
 public:
  std::int64_t add(context&, std::int64_t a, std::int64_t b) { return a + b; }
};

class outer {
 public:
  task<std::int64_t> in_coroutine(context& ctx, std::int64_t a) {
    co_return (co_await ctx.client({.topic = "inner"}).async_call<std::int64_t>("add", a, a))
        .value();
  }
  std::int64_t on_fiber(context& ctx, std::int64_t a) {
    return ctx.client({.topic = "inner"}).call<std::int64_t>("add", a, a).value();
  }
};

double cpu_seconds() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

struct crowd {
  const client& to;
  std::string method;
  std::uint64_t left;
  bool wrong = false;

  task<void> one() {
    while (left > 0) {
      const auto number = static_cast<std::int64_t>(left--);
      const auto answer = co_await to.async_call<std::int64_t>(method, number);
      wrong = wrong || !answer || *answer != 2 * number;
    }
  }
  task<void> all(std::size_t at_once) {
    std::vector<task<void>> flows;
    flows.reserve(at_once);
    for (std::size_t i = 0; i < at_once; ++i) {
      flows.push_back(one());
    }
    co_await gather(std::move(flows));
  }
};

}  // namespace

bool nested(bool smoke) {
  const std::size_t rounds = smoke ? 1 : 7;
  const std::size_t many = smoke ? 200 : 10'000;
  const std::uint64_t calls = smoke ? 1000 : 200'000;
  bool well = true;
  std::printf("nested: processor time of A -> B -> answer, us (median of %zu rounds)\n", rounds);
  for (const char* executor : {"loop-bound", "cooperative", "work-stealing"}) {
    node here({.executor = executor, .workers = 2});
    here.serve({.topic = "inner"}, endpoint<inner>().method("add", &inner::add));
    here.serve({.topic = "outer"},
               endpoint<outer>()
                   .method("in_coroutine", &outer::in_coroutine)
                   .method("on_fiber", &outer::on_fiber, suspending));
    here.start().value();
    const client to =
        client(here, {.topic = "outer"}).prepare({.timeout = std::chrono::minutes(1)});
    for (const char* method : {"in_coroutine", "on_fiber"}) {
      std::vector<double> alone;
      std::vector<double> crowded;
      for (std::size_t round = 0; round < rounds; ++round) {
        for (const std::size_t at_once : {std::size_t{1}, many}) {
          // One at a time it is the threads' waking that takes the time.
          const std::uint64_t count = at_once == 1 ? calls / 10 : calls;
          crowd of{to, method, count};
          const double before = cpu_seconds();
          here.run("crowd", [&](context&) { return of.all(at_once); }).get();
          const double each = (cpu_seconds() - before) * 1e6 / static_cast<double>(count);
          (at_once == 1 ? alone : crowded).push_back(each);
          well = well && !of.wrong;
        }
      }
      std::printf("  %-13s %-12s  1 at a time %.2f  %zu at once %.2f  ratio %.2f\n",
                  executor,
                  method,
                  quantile(alone, 0.5),
                  many,
                  quantile(crowded, 0.5),
                  quantile(crowded, 0.5) / quantile(alone, 0.5));
      std::fflush(stdout);
    }
  }
  if (!well) {
    std::fprintf(stderr, "nested: a call failed, or its answer was wrong\n");
  }
  return well;
}

}  // namespace mailroom::tests::bench
