#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/services/host/mailroom.hpp>

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

// A node ends within its bound from whatever state, MAILROOM_REPEATS times.

using namespace mailroom;
using mailroom::tests::eventually;

namespace {

// A drain, a second for what was cancelled, a second for the pool, and a busy machine.
constexpr auto drain_limit = 20ms;
constexpr auto bound = 10s;

struct seen {
  std::atomic<int> begun{0};
  std::atomic<int> unwound{0};
  std::atomic<bool> let_go{false};
};

struct witness {
  explicit witness(seen& what) : what_(what) { ++what.begun; }
  ~witness() { ++what_.unwound; }
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;

 private:
  seen& what_;
};

class guest {
 public:
  explicit guest(std::shared_ptr<seen> what) : seen_(std::move(what)) {}

  int plain(context&) { return 1; }
  // Sends to itself for ever.
  void again(context& ctx) {
    ++seen_->begun;
    static_cast<void>(ctx.client({.topic = "guest"}).cast("again"));
  }
  task<void> suspended(context& ctx) {
    const witness here(*seen_);
    co_await ctx.sleep(1h);
  }
  void parked(context& ctx) {
    const witness here(*seen_);
    ctx.sleep(1h);
  }
  void blocking(context& ctx) {
    const witness here(*seen_);
    ctx.sleep(1h);
  }
  // Blocks for good but for looking whether it should.
  void looks_at_its_token(context& ctx) {
    const witness here(*seen_);
    const auto token = ctx.stop_token();
    while (!token.stop_requested()) {
      std::this_thread::sleep_for(1ms);
    }
  }
  void stuck(context&) {
    const witness here(*seen_);
    while (!seen_->let_go) {
    }
  }
  void ticks(context& ctx) {
    ticking_ = ctx.every(100us, [what = seen_.get()] { ++what->begun; });
  }

  static endpoint_builder<guest> described(const std::shared_ptr<seen>& what) {
    return endpoint<guest>(what)
        .method("plain", &guest::plain)
        .method("again", &guest::again)
        .method("suspended", &guest::suspended)
        .method("parked", &guest::parked, suspending)
        .method("blocking", &guest::blocking, mailroom::blocking)
        .method("looks_at_its_token", &guest::looks_at_its_token, mailroom::blocking)
        .method("stuck", &guest::stuck)
        .method("ticks", &guest::ticks);
  }

 private:
  std::shared_ptr<seen> seen_;
  ticker ticking_;
};

struct scene {
  explicit scene(const std::string& on, const endpoint_options& with = {})
      : executor(on),
        at({.listen = "local://*",
            .executor = executor,
            .loops = executor.ends_with("/1") ? 2U : 1U,
            .workers = 2,
            .endpoints = {{"guest", with}}}) {
    at.serve({.topic = "guest"}, guest::described(what)).value();
    at.start().value();
  }

  client here() { return {at, {.topic = "guest"}}; }
  void call(const std::string& method, int times) {
    for (int i = 0; i < times; ++i) {
      out.push_back(here().future_call<void>(method));
    }
  }
  bool begun(int times) {
    return eventually([&] { return what->begun >= times; });
  }

  // In time, with an answer for each call, and everything unwound that had begun.
  void check_ends(bool unwinds = true) {
    const auto began = clock::now();
    at.stop(drain_limit);
    BOOST_TEST((clock::now() - began < bound));
    for (auto& each : out) {
      BOOST_TEST_REQUIRE((each.wait_for(0s) == std::future_status::ready));
    }
    if (unwinds) {
      BOOST_TEST(what->unwound == what->begun);
    }
  }

  std::shared_ptr<seen> what = std::make_shared<seen>();
  const std::string executor;
  node at;
  std::vector<std::future<result<void>>> out;
};

// Each policy, and a loop that calls do not leave by.
std::vector<std::string> all_executors() {
  std::vector<std::string> all{"loop-bound/1"};
  for (const auto policy : executors::policies()) {
    all.emplace_back(policy);
  }
  return all;
}

void from(const std::function<void(scene&)>& state, const endpoint_options& with = {}) {
  log::set_level(log::level::off);
  for (const auto& executor : all_executors()) {
    BOOST_TEST_CONTEXT(executor) {
      for (int i = 0; i < MAILROOM_REPEATS; ++i) {
        scene at(executor, with);
        state(at);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(host_shutdown)

BOOST_AUTO_TEST_CASE(ends_with_live_endpoints) {
  from([](scene& at) {
    at.call("plain", 10);
    at.check_ends();
  });
}

BOOST_AUTO_TEST_CASE(ends_with_endpoints_that_send_to_themselves) {
  from([](scene& at) {
    at.call("again", 3);
    BOOST_TEST_REQUIRE(at.begun(100));
    at.check_ends(false);
  });
}

BOOST_AUTO_TEST_CASE(ends_with_parked_fibers) {
  from([](scene& at) {
    at.call("parked", 20);
    BOOST_TEST_REQUIRE(at.begun(20));
    at.check_ends();
  });
}

BOOST_AUTO_TEST_CASE(ends_with_suspended_coroutines_and_their_timers) {
  from([](scene& at) {
    at.call("suspended", 20);
    BOOST_TEST_REQUIRE(at.begun(20));
    at.check_ends();
  });
}

BOOST_AUTO_TEST_CASE(ends_with_tickers) {
  from([](scene& at) {
    at.call("ticks", 1);
    BOOST_TEST_REQUIRE(at.begun(5));
    at.check_ends(false);
  });
}

BOOST_AUTO_TEST_CASE(ends_with_a_blocking_handler_that_waits) {
  from([](scene& at) {
    at.call("blocking", 2);
    BOOST_TEST_REQUIRE(at.begun(1));
    at.check_ends();
  });
}

BOOST_AUTO_TEST_CASE(ends_with_a_blocking_handler_that_looks_at_its_token) {
  from([](scene& at) {
    at.call("looks_at_its_token", 2);
    BOOST_TEST_REQUIRE(at.begun(1));
    at.check_ends();
  });
}

BOOST_AUTO_TEST_CASE(ends_while_a_move_to_another_executor_waits) {
  from([](scene& at) {
    at.call("parked", 3);
    BOOST_TEST_REQUIRE(at.begun(3));
    result<void> moved;
    std::thread mover([&] {
      moved =
          at.at.place("guest", at.executor == "cooperative" ? "work-stealing" : "cooperative", 1h);
    });
    // It is under way when calls wait for it.
    const client hasty = at.here().prepare({.timeout = 5ms});
    BOOST_TEST_REQUIRE(eventually([&] { return !hasty.call<int>("plain"); }));
    at.call("plain", 3);
    at.check_ends();
    mover.join();
    BOOST_TEST((!moved && moved.error() == errc::stopping), moved.error().to_string());
  });
}

BOOST_AUTO_TEST_CASE(ends_while_peers_send) {
  log::set_level(log::level::off);
  for (const auto& executor : all_executors()) {
    BOOST_TEST_CONTEXT(executor) {
      for (int i = 0; i < MAILROOM_REPEATS; ++i) {
        scene at(executor);
        node peer({.connect = {at.at.address()}});
        peer.start().value();
        const client to(peer, {.topic = "guest"});
        std::atomic<int> answers{0};
        std::jthread sender([&](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            answers += to.call<int>("plain").has_value() ? 1 : 0;
          }
        });
        BOOST_TEST_REQUIRE(eventually([&] { return answers > 10; }));
        at.check_ends(false);
        sender.request_stop();
        sender.join();
        BOOST_TEST(peer.stop(drain_limit));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(ends_with_a_full_queue_behind_a_handler_that_is_let_go) {
  for (const auto policy : queue_policies) {
    BOOST_TEST_CONTEXT(to_string(policy)) {
      from(
          [](scene& at) {
            at.call("stuck", 1);
            BOOST_TEST_REQUIRE(at.begun(1));
            at.call("plain", 300);
            std::thread other([what = at.what] { what->let_go = true; });
            at.check_ends();
            other.join();
          },
          {.queue_limit = 100, .queue_policy = policy});
    }
  }
}

// Nothing may be freed under its feet, so that it keeps its node's memory; `stop` does not wait for
// it.
BOOST_AUTO_TEST_CASE(does_not_wait_for_a_handler_that_never_ends) {
  log::set_level(log::level::off);
  for (const auto& executor : all_executors()) {
    BOOST_TEST_CONTEXT(executor) {
      for (int i = 0; i < 1 + MAILROOM_REPEATS / 100; ++i) {
        scene at(executor);
        at.call("stuck", 1);
        BOOST_TEST_REQUIRE(at.begun(1));
        const auto began = clock::now();
        BOOST_TEST(!at.at.stop(drain_limit));
        BOOST_TEST((clock::now() - began < bound));
        BOOST_TEST(at.at.is_hung());
        at.what->let_go = true;
        BOOST_TEST(eventually([&] { return at.what->unwound == 1; }));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
