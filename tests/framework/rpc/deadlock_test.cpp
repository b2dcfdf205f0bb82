#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

// Calls that come back to where they began: the ledger serves one call at a time, the clerk is
// elsewhere and calls whom it is told to.

namespace mailroom::tests::deadlock_test {
namespace {

std::string outcome(const result<std::string>& of) {
  return of ? *of : of.error().to_string();
}

// What the clerk does later, and what came of it.
struct later {
  std::atomic<bool> begun{false};
  std::promise<std::string> answered;
};

class clerk {
 public:
  explicit clerk(std::shared_ptr<later> todo) : todo_(std::move(todo)) {}

  task<std::string> relay(context& ctx, std::string topic, std::string method) {
    const auto to = ctx.client({.topic = topic});
    co_return outcome(co_await to.async_call<std::string>(method));
  }
  std::string relay_on_fiber(context& ctx, std::string topic, std::string method) {
    return outcome(ctx.client({.topic = topic}).call<std::string>(method));
  }
  void relay_later(context& ctx) {
    while (!todo_->begun) {
      ctx.sleep(1ms);
    }
    todo_->answered.set_value(outcome(ctx.client({.topic = "ledger"}).call<std::string>("read")));
  }

 private:
  std::shared_ptr<later> todo_;
};

class ledger {
 public:
  std::string read(context&) { return "read"; }
  task<std::string> read_soon(context& ctx) {
    co_await ctx.sleep(1ms);
    co_return "read soon";
  }

  task<std::string> ask(context& ctx, std::string topic, std::string method) {
    const auto to = ctx.client({.topic = topic});
    co_return outcome(co_await to.async_call<std::string>(method));
  }
  task<std::string> ask_clerk(context& ctx, std::string method) {
    const auto to = ctx.client({.topic = "clerk"});
    co_return outcome(co_await to.async_call<std::string>("relay", "ledger", method));
  }
  std::string ask_clerk_on_fiber(context& ctx, std::string method) {
    return outcome(
        ctx.client({.topic = "clerk"}).call<std::string>("relay_on_fiber", "ledger", method));
  }
  std::string ask_clerk_while_blocking(context& ctx, std::string method) {
    return ask_clerk_on_fiber(ctx, method);
  }
  task<std::string> ask_in_parts(context& ctx) {
    const auto here = ctx.client({.topic = "ledger"});
    const auto on_a_fiber = [&] { return outcome(here.call<std::string>("read")); };
    const std::string first = co_await on_fiber(on_a_fiber);
    const auto [second, third] = co_await gather(ask(ctx, "ledger", "read"), read_soon(ctx));
    co_return first + "; " + second + "; " + third;
  }
  // Asks for an answer that it does not wait for.
  std::string ask_and_leave(context& ctx) {
    static_cast<void>(ctx.client({.topic = "clerk"}).future_call<void>("relay_later"));
    return "left";
  }

  static endpoint_builder<ledger> described() {
    return endpoint<ledger>()
        .method("read", &ledger::read)
        .method("read_soon", &ledger::read_soon)
        .method("ask", &ledger::ask)
        .method("ask_clerk", &ledger::ask_clerk)
        .method("ask_clerk_on_fiber", &ledger::ask_clerk_on_fiber, suspending)
        .method("ask_clerk_while_blocking", &ledger::ask_clerk_while_blocking, blocking)
        .method("ask_in_parts", &ledger::ask_in_parts)
        .method("ask_and_leave", &ledger::ask_and_leave);
  }
};

// The ledger here, the clerk there, each calls the other.
struct scene {
  explicit scene(std::string_view policy, endpoint_builder<ledger>&& what)
      : here("here", {.policy = std::string(policy)}),
        there("there", {.policy = std::string(policy)}),
        outside("outside") {
    here.serve({.topic = "ledger"}, std::move(what));
    there.serve({.topic = "clerk"},
                endpoint<clerk>(todo)
                    .method("relay", &clerk::relay)
                    .method("relay_on_fiber", &clerk::relay_on_fiber, suspending)
                    .method("relay_later", &clerk::relay_later, suspending));
    here.connect(here);
    here.connect(there);
    there.connect(here);
    outside.connect(here);
  }
  ~scene() {
    outside.close();
    here.end();
    there.end();
  }
  scene(const scene&) = delete;
  scene& operator=(const scene&) = delete;

  client of_ledger() { return outside.client({.topic = "ledger"}); }

  std::shared_ptr<later> todo = std::make_shared<later>();
  site here;
  site there;
  site outside;
};

template <class Body>
void on_each_executor(endpoint_builder<ledger> (*what)(), const Body& body) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      scene at(policy, what());
      body(at);
    }
  }
}

endpoint_builder<ledger> exclusive_ledger() {
  return ledger::described().exclusive();
}
endpoint_builder<ledger> open_ledger() {
  return ledger::described();
}
endpoint_builder<ledger> exclusive_to_others() {
  return ledger::described().exclusive_to_others();
}

const std::string prefix = "deadlock: it would wait for itself: ";

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_deadlock)

BOOST_AUTO_TEST_CASE(is_told_with_its_path_when_an_exclusive_endpoint_calls_itself) {
  on_each_executor(exclusive_ledger, [](scene& at) {
    const auto got = at.of_ledger().call<std::string>("ask", "ledger", "read").value();
    BOOST_TEST(got == prefix + "ledger.ask → ledger.read");
    BOOST_TEST(at.of_ledger().call<std::string>("read").value() == "read");
  });
}

BOOST_AUTO_TEST_CASE(is_told_with_its_path_over_other_nodes_from_handlers_of_every_style) {
  on_each_executor(exclusive_ledger, [](scene& at) {
    const auto to = at.of_ledger();
    for (const auto* method : {"read", "read_soon"}) {
      const std::string back = std::string("ledger.") + method;
      BOOST_TEST(to.call<std::string>("ask_clerk", method).value() ==
                 prefix + "ledger.ask_clerk → clerk.relay → " + back);
      BOOST_TEST(to.call<std::string>("ask_clerk_on_fiber", method).value() ==
                 prefix + "ledger.ask_clerk_on_fiber → clerk.relay_on_fiber → " + back);
      BOOST_TEST(to.call<std::string>("ask_clerk_while_blocking", method).value() ==
                 prefix + "ledger.ask_clerk_while_blocking → clerk.relay_on_fiber → " + back);
    }
  });
}

BOOST_AUTO_TEST_CASE(is_told_long_before_the_deadline) {
  on_each_executor(exclusive_ledger, [](scene& at) {
    auto least = duration::max();
    for (int i = 0; i < 20; ++i) {
      const auto begun = clock::now();
      const auto to = at.of_ledger().prepare({.timeout = 60s});
      BOOST_TEST(to.call<std::string>("ask_clerk", "read").value().starts_with("deadlock"));
      least = std::min<duration>(least, clock::now() - begun);
    }
    BOOST_TEST((least < 10ms), least.count() << " ns");
  });
}

BOOST_AUTO_TEST_CASE(is_seen_from_the_parts_of_a_handler) {
  on_each_executor(exclusive_ledger, [](scene& at) {
    const std::string told = prefix + "ledger.ask_in_parts → ledger.read";
    BOOST_TEST(at.of_ledger().call<std::string>("ask_in_parts").value() ==
               told + "; " + told + "; read soon");
  });
}

// The chain is still told, but who began it waits no more.
BOOST_AUTO_TEST_CASE(is_not_seen_where_the_caller_has_gone_on) {
  on_each_executor(exclusive_ledger, [](scene& at) {
    BOOST_TEST(at.of_ledger().call<std::string>("ask_and_leave").value() == "left");
    at.todo->begun = true;
    BOOST_TEST(at.todo->answered.get_future().get() == "read");
  });
}

BOOST_AUTO_TEST_CASE(is_not_seen_in_endpoints_that_let_others_in) {
  on_each_executor(open_ledger, [](scene& at) {
    const auto to = at.of_ledger();
    BOOST_TEST(to.call<std::string>("ask", "ledger", "read").value() == "read");
    BOOST_TEST(to.call<std::string>("ask_clerk", "read_soon").value() == "read soon");
    BOOST_TEST(to.call<std::string>("ask_clerk_on_fiber", "read").value() == "read");
    BOOST_TEST(to.call<std::string>("ask_in_parts").value() == "read; read; read soon");
  });
}

BOOST_AUTO_TEST_CASE(does_not_come_where_calls_of_the_own_chain_are_let_in) {
  on_each_executor(exclusive_to_others, [](scene& at) {
    const auto to = at.of_ledger();
    std::vector<std::future<result<std::string>>> out;
    for (int i = 0; i < 50; ++i) {
      out.push_back(to.future_call<std::string>("ask", "ledger", "read"));
      out.push_back(to.future_call<std::string>("ask_clerk", "read"));
      out.push_back(to.future_call<std::string>("ask_clerk_on_fiber", "read"));
    }
    for (auto& each : out) {
      BOOST_TEST(outcome(each.get()) == "read");
    }
    BOOST_TEST(to.call<std::string>("ask_clerk", "read_soon").value() == "read soon");
    BOOST_TEST(to.call<std::string>("ask_in_parts").value() == "read; read; read soon");
    // A blocking handler runs while it waits: nothing may run beside it.
    BOOST_TEST(
        to.call<std::string>("ask_clerk_while_blocking", "read").value().starts_with(prefix));
  });
}

// They need no room: who waits for them makes it.
BOOST_AUTO_TEST_CASE(is_told_or_avoided_however_full_the_queue_is) {
  for (const auto executor : executors::policies()) {
    for (const auto policy : queue_policies) {
      for (const bool lets_in : {false, true}) {
        BOOST_TEST_CONTEXT(executor << ", " << to_string(policy) << ", lets in: " << lets_in) {
          auto what = lets_in ? exclusive_to_others() : exclusive_ledger();
          scene at(executor, std::move(what).queue_limit(2, policy));
          const auto to = at.of_ledger().prepare({.priority = 3});
          std::vector<std::future<result<std::string>>> out;
          for (int i = 0; i < 100; ++i) {
            out.push_back(to.future_call<std::string>("ask", "ledger", "read"));
            out.push_back(to.future_call<std::string>("ask_clerk", "read"));
          }
          std::size_t asked = 0;
          for (auto& each : out) {
            const auto got = each.get();
            asked += got ? 1U : 0U;
            BOOST_TEST((got || got.error() == errc::busy));
            BOOST_TEST((!got || (lets_in ? *got == "read" : got->starts_with(prefix))),
                       outcome(got));
          }
          BOOST_TEST(asked > 0U);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(of_two_chains_that_cross_ends_by_their_deadlines) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      site one("one", {.policy = std::string(policy)});
      site other("other", {.policy = std::string(policy)});
      one.serve({.topic = "left"}, exclusive_ledger());
      other.serve({.topic = "right"}, exclusive_ledger());
      one.connect(other);
      other.connect(one);
      const auto left = other.client({.topic = "left"}).prepare({.timeout = 300ms});
      const auto right = one.client({.topic = "right"}).prepare({.timeout = 300ms});
      std::vector<std::future<result<std::string>>> out;
      for (int i = 0; i < 20; ++i) {
        out.push_back(left.future_call<std::string>("ask", "right", "read_soon"));
        out.push_back(right.future_call<std::string>("ask", "left", "read_soon"));
      }
      bool crossed = false;
      for (auto& each : out) {
        const std::string got = outcome(each.get());
        crossed |= got.starts_with("expired");
        BOOST_TEST((got == "read soon" || got.starts_with("expired")), got);
      }
      BOOST_TEST(crossed);
      BOOST_TEST(other.client({.topic = "left"}).call<std::string>("read").value() == "read");
      BOOST_TEST(one.client({.topic = "right"}).call<std::string>("read").value() == "read");
      one.end();
      other.end();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::deadlock_test
