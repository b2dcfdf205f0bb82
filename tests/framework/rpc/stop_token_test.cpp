#include <mailroom/tests/framework/rpc/support/scripted.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace mailroom::tests::stop_token_test {
namespace {

using words = std::vector<std::string>;

// Handlers that want to hear of their end.
class heedful {
 public:
  explicit heedful(std::shared_ptr<script> with) : script_(std::move(with)) {}

  task<int> heed(context& ctx, std::size_t gate) {
    const auto token = ctx.stop_token();
    const std::stop_callback told(token, [this] { script_->log.emplace_back("told"); });
    try {
      co_await async::until(script_->gates[gate]);
    } catch (const async::flow_cancelled&) {
      script_->log.emplace_back(token.stop_requested() ? "cancelled after it" : "cancelled");
      throw;
    }
    script_->log.emplace_back(token.stop_requested() ? "goes on after it" : "goes on");
    co_return 1;
  }
  int heed_on_fiber(context& ctx, std::size_t gate) {
    const std::stop_callback told(ctx.stop_token(), [this] { script_->log.emplace_back("told"); });
    async::wait(script_->gates[gate]);
    script_->log.emplace_back("goes on");
    return 1;
  }
  // Takes more than a turn's time when it goes on.
  task<int> heed_and_take_time(context& ctx, std::size_t gate) {
    const std::stop_callback told(ctx.stop_token(), [this] { script_->log.emplace_back("told"); });
    co_await async::until(script_->gates[gate]);
    stage::current().advance(2ms);
    co_return 1;
  }
  task<int> ask_late(context& ctx, std::size_t gate) {
    co_await async::until(script_->gates[gate]);
    script_->log.emplace_back(ctx.stop_token().stop_requested() ? "stopped" : "not stopped");
    co_return 1;
  }
  task<int> ask_when_cancelled(context& ctx, std::size_t gate) {
    try {
      co_await async::until(script_->gates[gate]);
    } catch (const async::flow_cancelled&) {
      script_->log.emplace_back(ctx.stop_token().stop_requested() ? "stopped" : "not stopped");
    }
    co_return 1;
  }
  // Its callback lets another handler go on, and asks a third.
  task<int> stir(context& ctx, std::size_t gate) {
    const auto to = ctx.client({.topic = "nobody"});
    const std::stop_callback told(ctx.stop_token(), [this, &to] {
      script_->open(1);
      script_->log.emplace_back(to_string(to.call<int>("anything").error().code()));
    });
    co_await async::until(script_->gates[gate]);
    co_return 1;
  }

  static endpoint_builder<heedful> described(std::shared_ptr<script> with) {
    return endpoint<heedful>(std::move(with))
        .method("heed", &heedful::heed)
        .method("heed_on_fiber", &heedful::heed_on_fiber, suspending)
        .method("heed_and_take_time", &heedful::heed_and_take_time)
        .method("ask_late", &heedful::ask_late)
        .method("ask_when_cancelled", &heedful::ask_when_cancelled)
        .method("stir", &heedful::stir);
  }

 private:
  std::shared_ptr<script> script_;
};

struct scene {
  std::shared_ptr<script> with = std::make_shared<script>();
  stage on{heedful::described(with)};

  deadline in(duration time) { return deadline::after(on.now(), time); }
  void check_log(const words& expected) {
    BOOST_TEST(with->log == expected, boost::test_tools::per_element());
  }
};

// The same with threads: tells the test.
class telling {
 public:
  explicit telling(std::shared_ptr<tally> told) : told_(std::move(told)) {}

  task<int> heed(context& ctx) {
    const std::stop_callback told(ctx.stop_token(), [this] { told_->add(); });
    co_await ctx.sleep(1h);
    co_return 1;
  }

  static endpoint_builder<telling> described(std::shared_ptr<tally> told) {
    return endpoint<telling>(std::move(told)).method("heed", &telling::heed);
  }

 private:
  std::shared_ptr<tally> told_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_stop_token)

// Once it had been asked for, nobody ever stopped it.
BOOST_AUTO_TEST_CASE(is_stopped_when_the_server_ends_its_handlers) {
  for (const auto* method : {"heed", "heed_on_fiber"}) {
    BOOST_TEST_CONTEXT(method) {
      scene s;
      s.on.call(method, 0U);
      s.on.call(method, 1U);
      s.on.run();
      s.on.activation->stop();
      s.on.run();
      s.check_log({});  // A drain lets them end by themselves.
      s.on.activation->end();
      s.check_log({});  // Not before a turn.
      s.on.run();
      BOOST_TEST_REQUIRE(s.with->log.size() >= 2U);
      BOOST_TEST(s.with->log[0] == "told");
      BOOST_TEST(s.with->log[1] == "told");
      BOOST_TEST(s.on.activation->quiet());
    }
  }
}

BOOST_AUTO_TEST_CASE(is_stopped_before_what_the_handler_waits_for_throws) {
  scene s;
  s.on.call("heed", 0U);
  s.on.run();
  s.on.activation->end();
  s.on.run();
  s.check_log({"told", "cancelled after it"});
}

BOOST_AUTO_TEST_CASE(is_stopped_on_a_turn_when_the_deadline_passes) {
  for (const auto* method : {"heed", "heed_on_fiber"}) {
    BOOST_TEST_CONTEXT(method) {
      scene s;
      const auto id = s.on.call_until(s.in(5ms), method, 0U);
      s.on.run();
      s.on.advance(4ms);
      s.on.fire_timers();
      s.on.run();
      s.check_log({});
      s.on.advance(1ms);
      s.on.fire_timers();
      s.check_log({});  // Not before a turn.
      s.on.run();
      s.check_log({"told"});
      BOOST_TEST(s.on.of(id).count == 0);  // The handler goes on as long as it likes.
      s.with->open(0);
      s.on.run();
      BOOST_TEST((s.on.of(id).failure.value() == errc::expired));
    }
  }
}

BOOST_AUTO_TEST_CASE(is_stopped_from_the_start_when_it_is_asked_for_too_late) {
  scene s;
  s.on.call_until(s.in(5ms), "ask_late", 0U);
  s.on.call_until(s.in(50ms), "ask_late", 1U);
  s.on.call("ask_when_cancelled", 2U);
  s.on.run();
  s.on.advance(5ms);
  s.with->open(0);
  s.on.run();
  s.with->open(1);
  s.on.run();
  s.on.activation->end();
  s.on.run();
  s.check_log({"stopped", "not stopped", "stopped"});
}

BOOST_AUTO_TEST_CASE(leaves_nothing_behind_when_the_handler_ends) {
  scene s;
  s.on.call_until(s.in(5ms), "heed", 0U);
  s.on.run();
  BOOST_TEST(s.on.timers() == 1U);
  s.with->open(0);
  s.on.run();
  BOOST_TEST(s.on.timers() == 0U);
  s.on.pass(10ms);
  s.on.activation->end();
  s.on.run();
  s.check_log({"goes on"});
}

BOOST_AUTO_TEST_CASE(costs_no_timer_when_nobody_asks) {
  scene s;
  s.on.call_until(s.in(5ms), "ask_late", 0U);
  s.on.run();
  BOOST_TEST(s.on.timers() == 0U);
}

BOOST_AUTO_TEST_CASE(tells_nobody_when_the_handler_ends_before_the_notice_is_read) {
  scene s;
  s.on.call_until(s.in(5ms), "heed", 0U);
  s.on.run();
  s.with->open(0);
  s.on.advance(5ms);
  s.on.fire_timers();  // Behind the gate in the inbox.
  s.on.run();
  s.check_log({"goes on"});
}

BOOST_AUTO_TEST_CASE(is_freed_with_an_inbox_that_nobody_reads) {
  scene s;
  s.on.call_until(s.in(5ms), "heed_and_take_time", 0U);
  s.on.run();
  s.with->open(0);
  s.on.advance(5ms);
  s.on.fire_timers();
  BOOST_TEST(s.on.turn());  // Ends after the handler, before the notice.
  BOOST_TEST(s.on.activation->running() == 0U);
  s.on.activation.reset();
  s.check_log({});
}

BOOST_AUTO_TEST_CASE(may_stir_other_handlers_and_cannot_block) {
  scene s;
  s.on.call("stir", 0U);
  s.on.call("heed", 1U);
  s.on.run();
  s.on.activation->end();
  s.on.run();
  BOOST_TEST(s.on.activation->quiet());
  // The last that asked is told first.
  s.check_log({"told", "would_block", "cancelled after it"});
}

BOOST_AUTO_TEST_CASE(is_stopped_on_every_executor) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto told = std::make_shared<tally>();
      pair nodes(policy);
      auto& activation = nodes.back.serve({.topic = "telling"}, telling::described(told));
      nodes.connect();
      const auto to = nodes.client({.topic = "telling"});
      std::vector<std::future<result<int>>> out;
      for (int i = 0; i < 50; ++i) {
        out.push_back(to.prepare({.timeout = 20ms}).future_call<int>("heed"));
        out.push_back(to.future_call<int>("heed"));
      }
      BOOST_TEST(told->reaches(50));
      BOOST_TEST(told->value() == 50);
      // Callers see to their deadlines themselves, some milliseconds later.
      for (std::size_t i = 0; i < out.size(); i += 2) {
        BOOST_TEST((out[i].get().error() == errc::expired));
      }
      activation.end();
      BOOST_TEST(told->reaches(100));
      for (std::size_t i = 1; i < out.size(); i += 2) {
        BOOST_TEST((out[i].get().error() == errc::cancelled));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::stop_token_test
