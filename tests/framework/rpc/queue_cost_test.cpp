#include <mailroom/tests/framework/async/hand_home.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>
#include <time.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

// What a call of an exclusive endpoint costs that waits behind few others, and behind many.

namespace mailroom::tests {
namespace {

constexpr std::size_t few = 100;
constexpr std::size_t many = 30'000;
constexpr std::size_t calls_per_frame = 100;
constexpr std::size_t rounds = 3;
// What waits longer has left the processor's caches, and by priority each frame is come back to
// eight times; searching the queue would cost hundreds of times as much.
constexpr double allowed = 2;
constexpr double allowed_by_priority = 3;

duration cpu_time_of_this_thread() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

class desk {
 public:
  explicit desk(std::shared_ptr<std::deque<async::event>> gates) : gates_(std::move(gates)) {}

  task<void> hold(context&) { co_await async::until(gates_->back()); }

  // Three ways to add: the second and the third wait on the way.
  int plain(context&, int a, int b) { return a + b; }
  task<int> coroutine(context&, int a, int b) {
    async::event next;
    co_await gather(waits(next), completes(next));
    co_return a + b;
  }
  int fiber(context&, int a, int b) {
    async::event next;
    wait(gather(waits(next), completes(next)));
    return a + b;
  }

 private:
  static task<void> waits(async::event& what) { co_await async::until(what); }
  static task<void> completes(async::event& what) {
    what.complete();
    co_return;
  }

  std::shared_ptr<std::deque<async::event>> gates_;
};

class scene {
 public:
  scene(std::size_t limit, queue_policy policy)
      : limit_(limit),
        on_(endpoint<desk>(gates_)
                .method("hold", &desk::hold)
                .method("plain", &desk::plain)
                .method("coroutine", &desk::coroutine)
                .method("fiber", &desk::fiber, suspending)
                .exclusive()
                .queue_limit(limit, policy)) {
    on_.hang_up();  // Or the answers pile up here.
  }

  /// Nanoseconds of one call, from its arrival to its answer, when `depth` wait at once.
  double cost(const std::string& method, std::size_t depth) {
    duration spent{0};
    for (std::size_t cycle = 0; cycle < many / depth; ++cycle) {
      hold();
      for (std::size_t sent = 0; sent < depth; sent += calls_per_frame) {
        spent += arrival_of_a_frame(method);
      }
      BOOST_TEST_REQUIRE(on_.activation->queued() == depth);
      spent -= cpu_time_of_this_thread();
      gates_->back().complete();
      on_.run();
      spent += cpu_time_of_this_thread();
      BOOST_TEST_REQUIRE(on_.activation->queued() == 0U);
    }
    return static_cast<double>(spent.count()) / static_cast<double>(many);
  }

  /// Nanoseconds of one call that arrives when the queue is full.
  double cost_when_full() {
    hold();
    for (std::size_t sent = 0; sent < limit_; sent += calls_per_frame) {
      arrival_of_a_frame("plain");
    }
    duration spent{0};
    for (std::size_t sent = 0; sent < many; sent += calls_per_frame) {
      spent += arrival_of_a_frame("plain");
    }
    BOOST_TEST_REQUIRE(on_.activation->queued() == limit_);
    gates_->back().complete();
    on_.run();
    return static_cast<double>(spent.count()) / static_cast<double>(many);
  }

 private:
  void hold() {
    gates_->emplace_back();
    on_.set_priority(0);
    on_.call("hold");
    on_.run();
  }
  duration arrival_of_a_frame(const std::string& method) {
    for (std::size_t i = 0; i < calls_per_frame; ++i) {
      on_.set_priority(static_cast<std::uint8_t>(i % 8));
      on_.call(method, 1, 2);
    }
    const duration before = cpu_time_of_this_thread();
    on_.run();
    return cpu_time_of_this_thread() - before;
  }

  const std::size_t limit_;
  std::shared_ptr<std::deque<async::event>> gates_ = std::make_shared<std::deque<async::event>>();
  stage on_;
};

double median(std::vector<double> of) {
  std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2), of.end());
  return of[of.size() / 2];
}

// Of two costs, each measured several times in turn. Others use the machine too, and its caches, so
// it is tried again.
template <class Measure>
void are_about_the_same(const std::string& what, double allowed_ratio, const Measure& measure) {
  if (under_tsan) {
    return;  // It measures the sanitizer.
  }
  double ratio = 0;
  for (int attempt = 0; attempt < 3 && (attempt == 0 || ratio > allowed_ratio); ++attempt) {
    std::vector<double> behind_few;
    std::vector<double> behind_many;
    measure(behind_few, behind_many);
    ratio = median(behind_many) / median(behind_few);
    BOOST_TEST_MESSAGE(what << ": a call costs " << median(behind_few) << " ns behind " << few
                            << ", " << median(behind_many) << " ns behind " << many << ": "
                            << ratio);
  }
  BOOST_TEST(ratio <= allowed_ratio);
}

double allowed_for(queue_policy policy) {
  return policy == queue_policy::by_priority ? allowed_by_priority : allowed;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_queue_cost)

BOOST_AUTO_TEST_CASE(is_the_same_at_any_depth) {
  const auto check = [](const std::string& method, queue_policy policy) {
    const auto what = method + ", " + std::string(to_string(policy));
    are_about_the_same(what, allowed_for(policy), [&](auto& behind_few, auto& behind_many) {
      scene s(2 * many, policy);
      for (std::size_t round = 0; round < rounds; ++round) {
        behind_few.push_back(s.cost(method, few));
        behind_many.push_back(s.cost(method, many));
      }
    });
  };
  for (const auto policy : queue_policies) {
    check("plain", policy);
  }
  check("coroutine", queue_policy::refuse_newest);
  check("fiber", queue_policy::refuse_newest);
}

BOOST_AUTO_TEST_CASE(is_the_same_for_who_comes_when_a_queue_of_any_length_is_full) {
  for (const auto policy : queue_policies) {
    const auto what = "full, " + std::string(to_string(policy));
    are_about_the_same(what, allowed_for(policy), [&](auto& behind_few, auto& behind_many) {
      scene little(few, policy);
      scene large(many, policy);
      for (std::size_t round = 0; round < rounds; ++round) {
        behind_few.push_back(little.cost_when_full());
        behind_many.push_back(large.cost_when_full());
      }
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests
