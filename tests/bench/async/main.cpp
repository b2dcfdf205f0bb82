// What suspending and resuming costs: see README.md.

#include <mailroom/framework/async/fiber.hpp>
#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/mutex.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace {

std::atomic<long> allocations{0};

}  // namespace

// Not inlined, any of them: g++ 12 would see `free` of what `new` gave, and the other way round.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* got = std::malloc(size)) {
    return got;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* what) noexcept {
  std::free(what);
}
[[gnu::noinline]] void operator delete(void* what, std::size_t) noexcept {
  std::free(what);
}

namespace mailroom {
namespace {

// An actor with nothing but a queue.
class bench_home final : public async::home {
 public:
  ~bench_home() override = default;
  void post(async::work& todo) noexcept override { todo_ = &todo; }
  void arm(executors::timer&, time_point) noexcept override {}
  void cancel(executors::timer&) noexcept override {}
  time_point now() const noexcept override { return {}; }

  void run() noexcept { std::exchange(todo_, nullptr)->run(); }

 private:
  async::work* todo_ = nullptr;
};

long cpu_nanoseconds() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return spent.tv_sec * 1'000'000'000L + spent.tv_nsec;
}

struct options {
  int rounds = 11;
  int steps = 1'000'000;
};

// Which of the handlers' code runs: a step is one suspension and one resumption.
struct bench {
  const options& with;
  bool clean = true;

  // `step` once for each; prints what the median round costs.
  template <class Step>
  void measure(const char* name, Step step) {
    std::vector<double> costs;
    long allocated = 0;
    for (int round = 0; round <= with.rounds; ++round) {
      const long before = allocations.load();
      const long began = cpu_nanoseconds();
      for (int i = 0; i < with.steps; ++i) {
        step();
      }
      const long spent = cpu_nanoseconds() - began;
      if (round > 0) {  // The first warms up.
        allocated += allocations.load() - before;
        costs.push_back(static_cast<double>(spent) / with.steps);
      }
    }
    std::sort(costs.begin(), costs.end());
    std::printf("%-28s %7.1f ns  (%.1f to %.1f), %ld allocations\n",
                name,
                costs[costs.size() / 2],
                costs.front(),
                costs.back(),
                allocated);
    clean = clean && allocated == 0;
  }
};

// ---- coroutines

struct suspended {
  std::coroutine_handle<>& into;
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> here) const noexcept { into = here; }
  static void await_resume() noexcept {}
};

async::detail::detached bare(std::coroutine_handle<>& at, const bool& over) {
  while (!over) {
    co_await suspended{at};
  }
}

// The event of each step is made anew, as waits do.
async::detail::detached through_events(async::completion*& at, const bool& over) {
  while (!over) {
    async::event next;
    at = &next;
    co_await async::until(next);
  }
}

task<int> ready(int value) {
  co_return value;
}

async::detail::detached locks(async::completion*& at, mutex& shared, const bool& over) {
  while (!over) {
    const auto held = co_await shared.lock();
    async::event next;
    at = &next;
    co_await async::until(next);
  }
}

void measure_coroutines(bench& all) {
  bench_home home;
  async::flow flow;
  flow.where = &home;
  flow.how = async::style::coroutine;
  const async::flow_scope scope(&flow);
  {
    bool over = false;
    std::coroutine_handle<> at;
    bare(at, over);
    all.measure("coroutine, bare", [&] { at.resume(); });
    over = true;
    at.resume();
  }
  async::completion* at = nullptr;
  const auto step = [&] {
    at->complete();
    home.run();
  };
  {
    bool over = false;
    through_events(at, over);
    all.measure("coroutine, event", step);
    over = true;
    step();
  }
  {
    bool over = false;
    mutex shared;
    locks(at, shared, over);
    all.measure("coroutine, event and lock", step);
    over = true;
    step();
  }
}

// ---- fibers

void on_fiber(async::flow& flow, const std::function<void()>& body) {
  async::fiber::start(body, [&flow](async::fiber& on) { flow.on = &on; });
}

void measure_fibers(bench& all) {
  bench_home home;
  async::flow flow;
  flow.where = &home;
  flow.how = async::style::suspending;
  const async::flow_scope scope(&flow);
  {
    bool over = false;
    on_fiber(flow, [&] {
      while (!over) {
        flow.on->park();
      }
    });
    all.measure("fiber, bare", [&] { flow.on->resume(); });
    over = true;
    flow.on->resume();
  }
  async::completion* at = nullptr;
  const auto step = [&] {
    at->complete();
    home.run();
  };
  {
    bool over = false;
    on_fiber(flow, [&] {
      while (!over) {
        async::event next;
        at = &next;
        async::wait(next);
      }
    });
    all.measure("fiber, event", step);
    over = true;
    step();
  }
}

// ---- what allocates a frame, for comparison

void measure_frames(bench& all) {
  bench_home home;
  async::flow flow;
  flow.where = &home;
  flow.how = async::style::coroutine;
  const async::flow_scope scope(&flow);
  const bool clean = all.clean;
  long sum = 0;
  all.measure("task awaited, with its frame", [&] {
    [](long& into) -> async::detail::detached { into += co_await ready(1); }(sum);
  });
  all.measure("fiber begun and ended", [&] { on_fiber(flow, [&sum] { ++sum; }); });
  all.clean = clean;
}

}  // namespace
}  // namespace mailroom

int main(int argc, char** argv) {
  mailroom::options with;
  if (argc > 1 && std::string_view(argv[1]) == "--smoke") {
    with = {.rounds = 1, .steps = 10'000};
  }
  mailroom::bench all{with};
  mailroom::measure_coroutines(all);
  mailroom::measure_fibers(all);
  mailroom::measure_frames(all);
  return all.clean ? 0 : 1;
}
