#include <mailroom/tests/framework/executors/until.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::tests::ticker_test {
namespace {

// What a test and an endpoint with a ticker share.
struct clockwork {
  std::vector<std::string> log;
  ticker keeps;
  async::event gate;
  time_point began;
  duration takes{0};
  bool throws = false;
  std::atomic<int> ticks{0};

  void note(const std::string& what) {
    log.push_back(what + " at " +
                  std::to_string((stage::current().now() - began) / std::chrono::milliseconds(1)));
  }
};

class clock_tower {
 public:
  explicit clock_tower(std::shared_ptr<clockwork> with) : with_(std::move(with)) {}

  void begin(context& ctx, int milliseconds) {
    with_->began = stage::current().now();
    with_->keeps = ctx.every(std::chrono::milliseconds(milliseconds), [this] {
      with_->note("tick");
      stage::current().advance(with_->takes);
      if (std::exchange(with_->throws, false)) {
        throw std::runtime_error("this tick");
      }
    });
  }
  void begin_coroutine(context& ctx) {
    with_->began = stage::current().now();
    with_->keeps = ctx.every(10ms, [this]() -> task<void> {
      with_->note("begins");
      co_await async::until(with_->gate);
      with_->note("ends");
    });
  }
  void begin_until_third(context& ctx) {
    with_->began = stage::current().now();
    with_->keeps = ctx.every(10ms, [this] {
      with_->note("tick");
      if (with_->log.size() == 3) {
        with_->keeps.stop();
      }
    });
  }
  void drop(context&) { with_->keeps.stop(); }
  task<int> naps(context& ctx, int milliseconds) {
    with_->note("nap");
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    with_->note("woke");
    co_return 1;
  }
  void begin_counting(context& ctx) {
    with_->keeps = ctx.every(1ms, [this] { ++with_->ticks; });
  }

  static endpoint_builder<clock_tower> described(std::shared_ptr<clockwork> with) {
    return endpoint<clock_tower>(std::move(with))
        .method("begin", &clock_tower::begin)
        .method("begin_coroutine", &clock_tower::begin_coroutine)
        .method("begin_until_third", &clock_tower::begin_until_third)
        .method("begin_counting", &clock_tower::begin_counting)
        .method("drop", &clock_tower::drop)
        .method("naps", &clock_tower::naps);
  }

 private:
  std::shared_ptr<clockwork> with_;
};

void check(const clockwork& with, const std::vector<std::string>& expected) {
  BOOST_TEST(with.log == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_ticker)

BOOST_AUTO_TEST_CASE(runs_once_a_period) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin", 10);
  at.run();
  check(*with, {});
  for (int i = 0; i < 35; ++i) {
    at.pass(1ms);
  }
  check(*with, {"tick at 10", "tick at 20", "tick at 30"});
}

// It span.
BOOST_AUTO_TEST_CASE(has_a_period_that_is_longer_than_nothing) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin", 0);
  at.run();
  at.call("begin", -1);
  at.run();
  at.pass(1s);
  check(*with, {});
}

BOOST_AUTO_TEST_CASE(does_not_drift_when_its_turns_are_late_or_long) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin", 10);
  at.run();
  at.pass(13ms);
  with->takes = 4ms;
  at.pass(7ms);
  at.pass(6ms);
  check(*with, {"tick at 13", "tick at 20", "tick at 30"});
}

BOOST_AUTO_TEST_CASE(does_not_make_up_for_what_it_missed) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin", 10);
  at.run();
  at.pass(57ms);
  at.pass(2ms);
  at.pass(1ms);
  with->takes = 25ms;  // Longer than its period.
  at.pass(10ms);
  with->takes = 0ms;
  at.pass(5ms);
  check(*with, {"tick at 57", "tick at 60", "tick at 70", "tick at 100"});
}

BOOST_AUTO_TEST_CASE(goes_on_after_what_it_throws) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  with->throws = true;
  at.call("begin", 10);
  at.run();
  at.pass(10ms);
  at.pass(10ms);
  check(*with, {"tick at 10", "tick at 20"});
}

BOOST_AUTO_TEST_CASE(ends_when_its_ticker_goes) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin", 10);
  at.run();
  at.pass(10ms);
  at.call("drop");
  at.run();
  at.pass(100ms);
  check(*with, {"tick at 10"});
}

BOOST_AUTO_TEST_CASE(can_end_itself) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin_until_third");
  at.run();
  for (int i = 0; i < 10; ++i) {
    at.pass(10ms);
  }
  check(*with, {"tick at 10", "tick at 20", "tick at 30"});
}

BOOST_AUTO_TEST_CASE(can_be_begun_anew) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin", 10);
  at.run();
  at.pass(10ms);
  at.call("begin", 20);
  at.run();
  at.pass(10ms);
  at.pass(10ms);
  check(*with, {"tick at 10", "tick at 20"});
}

BOOST_AUTO_TEST_CASE(ends_when_its_endpoint_stops) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin", 10);
  at.run();
  at.activation->stop();
  at.run();
  BOOST_TEST(at.activation->quiet());
  at.pass(100ms);
  check(*with, {});
}

BOOST_AUTO_TEST_CASE(is_not_begun_in_an_endpoint_that_stops) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("naps", 10);
  at.run();
  at.activation->stop();
  at.run();
  rpc::tick_of late(*at.activation, "late", 1ms, [&] { with->note("late"); });
  BOOST_TEST(at.activation->running() == 1U);
  const auto begun = ref<rpc::tick>(&late);
  late.start();
  at.pass(10ms);
  check(*with,
        {"nap at " + std::to_string((at.now() - 10ms - with->began) / 1ms),
         "woke at " + std::to_string((at.now() - with->began) / 1ms)});
}

BOOST_AUTO_TEST_CASE(may_outlive_its_endpoint) {
  const auto with = std::make_shared<clockwork>();
  {
    stage at(clock_tower::described(with));
    at.call("begin", 10);
    at.run();
  }
  with->keeps.stop();
  check(*with, {});
}

BOOST_AUTO_TEST_CASE(waits_for_the_end_of_a_coroutine) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin_coroutine");
  at.run();
  at.pass(10ms);
  at.pass(10ms);
  at.pass(4ms);
  with->gate.complete();
  at.run();
  at.pass(6ms);
  check(*with, {"begins at 10", "ends at 24", "begins at 30", "ends at 30"});
}

BOOST_AUTO_TEST_CASE(unwinds_its_coroutine_when_the_endpoint_ends) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with));
  at.call("begin_coroutine");
  at.run();
  at.pass(10ms);
  at.activation->stop();
  at.run();
  BOOST_TEST(!at.activation->quiet());
  at.activation->end();
  at.run();
  BOOST_TEST(at.activation->quiet());
  check(*with, {"begins at 10"});
}

BOOST_AUTO_TEST_CASE(runs_between_the_calls_of_an_exclusive_endpoint) {
  const auto with = std::make_shared<clockwork>();
  stage at(clock_tower::described(with).exclusive());
  at.call("begin", 10);
  at.run();
  at.call("naps", 15);
  at.call("naps", 15);
  at.run();
  for (int i = 0; i < 35; ++i) {
    at.pass(1ms);
  }
  check(*with, {"nap at 0", "woke at 15", "tick at 15", "nap at 15", "woke at 30", "tick at 30"});
}

BOOST_AUTO_TEST_CASE(can_be_dropped_on_another_thread) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto with = std::make_shared<clockwork>();
      pair nodes(policy);
      nodes.back.serve({.topic = "tower"}, clock_tower::described(with));
      nodes.connect();
      const auto to = nodes.client({.topic = "tower"});
      BOOST_TEST(to.call<void>("begin_counting").has_value());
      BOOST_TEST(eventually([&] { return with->ticks > 5; }));
      with->keeps.stop();
      // What has begun ends; then no more comes.
      BOOST_TEST(to.call<void>("drop").has_value());
      BOOST_TEST(to.call<void>("drop").has_value());
      const int last = with->ticks;
      std::this_thread::sleep_for(10ms);
      BOOST_TEST(with->ticks == last);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::ticker_test
