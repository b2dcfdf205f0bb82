#include <mailroom/tests/bench/executors/workloads.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace mailroom::tests::bench {
namespace {

// Time in which nobody sends. At random, since what comes from outside knows nothing of the
// workers' own timers, which the system would otherwise ring together with ours.
class gaps {
 public:
  explicit gaps(duration at_least) : at_least_(at_least) {}

  void pass() {
    std::this_thread::sleep_for(at_least_ + at_random_up_to(at_least_ / 5));
    const auto until = clock::now() + at_random_up_to(200us);
    while (clock::now() < until) {
    }
  }

 private:
  duration at_random_up_to(duration most) {
    random_ = random_ * 1664525U + 1013904223U;
    return most * (random_ >> 16U) / (1U << 16U);
  }

  const duration at_least_;
  std::uint32_t random_ = 1;
};

// The handler reads the clock first of all.
caf::behavior sleeper(caf::event_based_actor* self, time_point* woken, finish_line** finish) {
  return {[=](int left) {
    *woken = clock::now();
    if (left == 0) {
      self->quit();
    }
    (*finish)->arrive();
  }};
}

// From before another thread sends until the handler runs; the median, in microseconds.
figures wake_after(duration idle, int times, caf::actor_system& of) {
  time_point woken;
  finish_line* finish = nullptr;
  const auto sleeps = of.spawn(sleeper, &woken, &finish);
  std::vector<double> took(static_cast<std::size_t>(times));
  gaps gap(idle);
  const stopwatch since;
  for (std::size_t left = took.size(); left-- != 0;) {
    finish_line here;
    finish = &here;
    gap.pass();
    const auto sent = clock::now();
    caf::anon_send(sleeps, static_cast<int>(left));
    here.wait();
    took[left] = std::chrono::duration<double, std::micro>(woken - sent).count();
  }
  auto measured = since.over(took.size());
  std::nth_element(
      took.begin(), took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2), took.end());
  measured.value = took[took.size() / 2];
  return measured;
}

// CAF's stealing workers look for work every 50 us and go to sleep when they have not found any 500
// times: with the system's timers that takes more than 50 ms.
figures wake_parked(caf::actor_system& of, double scale) {
  return wake_after(100ms, scaled(15, scale), of);
}

// As in a service that is called a few hundred times a second.
figures wake_idle(caf::actor_system& of, double scale) {
  return wake_after(1ms, scaled(100, scale), of);
}

}  // namespace

std::vector<workload> wake_workloads() {
  return {
      {"wake after 100 ms, p50 us", "wake", true, {0.4, 0.4, {}}, &wake_parked},
      {"wake after 1 ms, p50 us", "wake", true, {}, &wake_idle},
  };
}

}  // namespace mailroom::tests::bench
