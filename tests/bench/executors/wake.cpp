#include <mailroom/tests/bench/executors/workloads.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

namespace mailroom::tests::bench {
namespace {

// Long enough that every worker sleeps, as a service does that is called a few hundred times a
// second.
constexpr auto gap = 1ms;

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
figures wake(caf::actor_system& of, double scale) {
  time_point woken;
  finish_line* finish = nullptr;
  const auto sleeps = of.spawn(sleeper, &woken, &finish);
  std::vector<double> took(static_cast<std::size_t>(scaled(250, scale)));
  const stopwatch since;
  for (std::size_t left = took.size(); left-- != 0;) {
    finish_line here;
    finish = &here;
    std::this_thread::sleep_for(gap);
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

}  // namespace

std::vector<workload> wake_workloads() {
  return {{"wake from outside, p50 us", "wake", true, {0.4, 0.4, {}}, &wake}};
}

}  // namespace mailroom::tests::bench
