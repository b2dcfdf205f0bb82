#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/support/gate.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/health.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <string>
#include <vector>

// What is seen from beside of loops and endpoints that do not move.

namespace mailroom::tests::health_test {
namespace {

class handlers {
 public:
  explicit handlers(std::shared_ptr<gate> at) : gate_(std::move(at)) {}

  int hang(context&) {
    gate_->wait();
    return 1;
  }
  task<int> nap(context& ctx) {
    co_await ctx.sleep(20ms);
    co_return 2;
  }
  int answer(context&) { return 3; }

  static endpoint_builder<handlers> described(std::shared_ptr<gate> at) {
    return endpoint<handlers>(std::move(at))
        .method("hang", &handlers::hang)
        .method("nap", &handlers::nap)
        .method("answer", &handlers::answer);
  }

 private:
  std::shared_ptr<gate> gate_;
};

// A site that is looked at from a thread of its own.
struct looked_at {
  explicit looked_at(const std::string& policy, duration stuck_after = 100ms)
      : nodes(site::options{.policy = policy, .workers = 2}) {
    log::set_level(log::level::error);
    control.start();
    for (const auto* topic : {"one", "other"}) {
      nodes.back.serve({.topic = topic}, handlers::described(at));
    }
    nodes.back.serve({.topic = "exclusive"}, handlers::described(at).exclusive());
    nodes.front.connect(nodes.back);
    on_control([&] {
      health = std::make_unique<rpc::health>(
          control,
          platform::system(),
          nodes.back.dispatcher(),
          std::vector<const executors::event_loop*>{&nodes.back.loop()},
          rpc::health::options{.stuck_after = stuck_after, .look_every = stuck_after / 4},
          [this] { return nodes.back.server().counts().calls.load(); },
          [this](const wire::stuck& what) {
            const std::lock_guard lock(mutex);
            told.push_back(what);
          },
          [](time_point) {});
      health->start();
    });
  }
  ~looked_at() {
    at->open();
    on_control([&] {
      health->close();
      health.reset();
    });
    control.stop();
  }

  void on_control(const std::function<void()>& what) {
    const auto done = std::make_shared<tally>();
    control.post([&what, done] {
      what();
      done->add();
    });
    const bool is_done = done->reaches(1);
    BOOST_REQUIRE(is_done);  // Not before: there may be checks in it.
  }
  wire::stuck last() {
    const std::lock_guard lock(mutex);
    return told.empty() ? wire::stuck{} : told.back();
  }
  std::size_t times_told() {
    const std::lock_guard lock(mutex);
    return told.size();
  }
  wire::loop_state loop() {
    wire::loop_state state;
    on_control([&] { state = health->loops().at(0); });
    return state;
  }
  std::future<result<int>> call(const std::string& topic, const char* method) {
    return nodes.client({.topic = topic}).future_call<int>(method);
  }

  std::shared_ptr<gate> at = std::make_shared<gate>();
  pair nodes;
  executors::event_loop control{"mr-ctl", platform::system()};
  std::mutex mutex;
  std::vector<wire::stuck> told;  // Guarded by mutex.
  std::unique_ptr<rpc::health> health;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_health)

BOOST_AUTO_TEST_CASE(sees_a_topic_that_starts_none_of_its_calls_and_leaves_the_others_alone) {
  looked_at s("work-stealing");
  auto hangs = s.call("one", "hang");
  auto waits = s.call("one", "answer");
  const wire::stuck expected{{}, {{"mailroom", "one"}}};
  BOOST_TEST(eventually([&] { return s.last() == expected; }));
  BOOST_TEST(s.call("other", "answer").get().value() == 3);
  const auto refused = s.call("one", "answer").get();
  BOOST_TEST((refused.error() == errc::busy));
  BOOST_TEST((refused.error().execution() == execution::not_run));
  // As soon as it moves, it is as before.
  s.at->open();
  BOOST_TEST(hangs.get().value() == 1);
  BOOST_TEST(waits.get().value() == 3);
  BOOST_TEST(eventually([&] { return s.last() == wire::stuck{}; }));
  BOOST_TEST(s.call("one", "answer").get().value() == 3);
}

BOOST_AUTO_TEST_CASE(sees_a_loop_that_a_handler_keeps) {
  looked_at s("loop-bound");
  auto hangs = s.call("one", "hang");
  const wire::stuck expected{{0}, {}};
  BOOST_TEST(eventually([&] { return s.last().loops == expected.loops; }));
  const auto first = s.loop();
  BOOST_TEST(eventually([&] { return s.loop().oldest_queued_ms > first.oldest_queued_ms; }));
  BOOST_TEST(s.loop().turns == first.turns);
  s.at->open();
  BOOST_TEST(hangs.get().value() == 1);
  BOOST_TEST(eventually([&] { return s.last() == wire::stuck{}; }));
}

// Its turns go on, and so does the refusing of what finds its queue full: it is stuck all the same.
BOOST_AUTO_TEST_CASE(an_exclusive_endpoint_whose_call_goes_on_for_too_long_is_stuck) {
  looked_at s("work-stealing", 50ms);
  std::vector<std::future<result<int>>> calls;
  const wire::stuck expected{{}, {{"mailroom", "exclusive"}}};
  calls.push_back(s.call("exclusive", "hang"));
  calls.push_back(s.call("exclusive", "answer"));
  BOOST_TEST(eventually([&] { return s.last() == expected; }));
  s.at->open();
  for (auto& each : calls) {
    BOOST_TEST(each.get().has_value());
  }
}

// A queue that moves is none that is stuck, however long it is.
BOOST_AUTO_TEST_CASE(a_slow_endpoint_is_not_stuck) {
  looked_at s("work-stealing", 2s);
  std::vector<std::future<result<int>>> calls;
  for (int i = 0; i < 150; ++i) {
    calls.push_back(s.call("exclusive", "nap"));
  }
  BOOST_TEST(eventually([&] { return s.loop().oldest_queued_ms > 0; }));
  for (auto& each : calls) {
    BOOST_TEST(each.get().value() == 2);
  }
  BOOST_TEST(s.times_told() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::health_test
