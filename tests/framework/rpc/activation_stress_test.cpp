#include <mailroom/tests/framework/async/hand_home.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace mailroom::tests::activation_stress_test {
namespace {

constexpr std::size_t producers = 4;
// A million on each executor; under ThreadSanitizer a million in all.
constexpr std::size_t works_each = under_tsan ? 84'000 : 250'000;

class nobody {};

// Counters without a lock: that no two turns overlap is what keeps them right, and what
// ThreadSanitizer watches.
struct plain_counts {
  std::size_t ran = 0;
  std::size_t twice = 0;
  std::vector<std::size_t> last = std::vector<std::size_t>(producers, 0);
  bool in_order = true;
};

class counted_work final : public async::work {
 public:
  void run() noexcept override {
    if (inside->fetch_add(1, std::memory_order_relaxed) != 0) {
      overlapped->store(true, std::memory_order_relaxed);
    }
    ++counts->ran;
    counts->twice += ran_ ? 1U : 0U;
    ran_ = true;
    counts->in_order = counts->in_order && number > counts->last[producer];
    counts->last[producer] = number;
    inside->fetch_sub(1, std::memory_order_relaxed);
  }

  plain_counts* counts = nullptr;
  std::atomic<int>* inside = nullptr;
  std::atomic<bool>* overlapped = nullptr;
  std::size_t producer = 0;
  std::size_t number = 0;

 private:
  bool ran_ = false;
};

void run_each_once_on(std::string_view policy) {
  plain_counts counts;
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  std::vector<std::vector<counted_work>> works;
  for (std::size_t p = 0; p < producers; ++p) {
    works.emplace_back(works_each);
    for (std::size_t i = 0; i < works_each; ++i) {
      auto& each = works.back()[i];
      each.counts = &counts;
      each.inside = &inside;
      each.overlapped = &overlapped;
      each.producer = p;
      each.number = i + 1;
    }
  }
  {
    site home("stress", {.policy = std::string(policy), .workers = 3});
    auto& activation = home.serve({.topic = "stress"}, endpoint<nobody>());
    std::vector<std::thread> threads;
    for (auto& mine : works) {
      threads.emplace_back([&mine, &activation] {
        std::size_t posted = 0;
        for (auto& each : mine) {
          activation.post(each);
          // Now and then the activation runs dry and falls idle, which is where a turn could be
          // missed.
          if (++posted % 97 == 0) {
            std::this_thread::yield();
          }
        }
      });
    }
    for (auto& each : threads) {
      each.join();
    }
    home.close();  // Its nudge comes after all works: when it is quiet they have run.
  }
  BOOST_TEST(counts.ran == producers * works_each);
  BOOST_TEST(counts.twice == 0U);
  BOOST_TEST(counts.in_order);
  BOOST_TEST(!overlapped.load());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_activation_stress)

BOOST_AUTO_TEST_CASE(runs_each_work_once_on_cooperative) {
  run_each_once_on("cooperative");
}

BOOST_AUTO_TEST_CASE(runs_each_work_once_on_work_stealing) {
  run_each_once_on("work-stealing");
}

BOOST_AUTO_TEST_CASE(runs_each_work_once_on_loop_bound) {
  run_each_once_on("loop-bound");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::activation_stress_test
