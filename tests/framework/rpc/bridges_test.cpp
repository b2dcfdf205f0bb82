#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

// Between suspending handlers and coroutines, on every executor.

namespace mailroom::tests::bridges_test {
namespace {

class bridges {
 public:
  /// How many of them are under way at once.
  task<int> crowd(context& ctx) {
    most_ = std::max(most_, ++now_);
    co_await ctx.sleep(20ms);
    --now_;
    co_return most_;
  }
  int calls_together(context& ctx) {
    const auto to = ctx.client({.topic = "bridges"});
    auto first = to.async_call<int>("crowd");
    auto second = to.async_call<int>("crowd");
    auto third = to.async_call<int>("crowd");
    return std::min({mailroom::wait(first).value(),
                     mailroom::wait(second).value(),
                     mailroom::wait(std::move(third)).value()});
  }
  int waits_for_task(context& ctx) { return mailroom::wait(crowd(ctx)); }
  std::string misuses(context& ctx) {
    try {
      return std::to_string(mailroom::wait(crowd(ctx)));
    } catch (const call_error& refused) {
      return refused.why().to_string();
    }
  }

  static endpoint_builder<bridges> described() {
    return endpoint<bridges>()
        .method("crowd", &bridges::crowd)
        .method("calls_together", &bridges::calls_together, suspending)
        .method("waits_for_task", &bridges::waits_for_task, suspending)
        .method("misuses", &bridges::misuses);
  }

 private:
  int now_ = 0;
  int most_ = 0;
};

// Coroutines only, so that its executor is free to move it; what it runs on fibers stays.
class nomad {
 public:
  task<int> hop(context& ctx) {
    int moves = 0;
    for (int i = 0; i < 20; ++i) {
      moves += co_await on_fiber([&ctx] {
        const auto before = std::this_thread::get_id();
        ctx.sleep(100us);
        return before == std::this_thread::get_id() ? 0 : 1;
      });
      co_await ctx.sleep(50us);
    }
    co_return moves;
  }
  // Begins on a worker that has more to do: others come to steal.
  int burn(context&, int microseconds) {
    const auto until = clock::now() + std::chrono::microseconds(microseconds);
    while (clock::now() < until) {
    }
    return 1;
  }

  static endpoint_builder<nomad> described() {
    return endpoint<nomad>().method("hop", &nomad::hop).method("burn", &nomad::burn);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_bridges)

BOOST_AUTO_TEST_CASE(lets_suspending_handlers_wait_for_calls_and_tasks) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      pair nodes(policy);
      nodes.back.serve({.topic = "bridges"}, bridges::described());
      nodes.connect();
      const auto to = nodes.client({.topic = "bridges"});
      BOOST_TEST(to.call<int>("calls_together").value() == 3);
      BOOST_TEST(to.call<int>("waits_for_task").value() == 3);
      const auto words = to.call<std::string>("misuses").value();
      BOOST_TEST(words.starts_with("would_block"), words);
      BOOST_TEST(words.find("bridges.misuses") != std::string::npos, words);
    }
  }
}

BOOST_AUTO_TEST_CASE(keeps_a_fiber_on_its_thread_in_an_endpoint_of_coroutines) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      pair nodes(policy);
      for (int i = 0; i < 8; ++i) {
        nodes.back.serve({.topic = "nomad" + std::to_string(i)}, nomad::described());
      }
      nodes.connect();
      std::vector<std::future<result<int>>> out;
      for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 8; ++i) {
          const auto to = nodes.client({.topic = "nomad" + std::to_string(i)});
          out.push_back(to.future_call<int>("burn", 200));
          out.push_back(to.future_call<int>("hop"));
        }
      }
      int moves = 0;
      for (std::size_t i = 0; i < out.size(); ++i) {
        const int got = out[i].get().value();
        moves += i % 2 == 1 ? got : 0;
      }
      BOOST_TEST(moves == 0);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::bridges_test
