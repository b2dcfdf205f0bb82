#include <mailroom/tests/framework/executors/until.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/wait.hpp>
#include <mailroom/framework/async/wait_for.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Handlers that block, on every executor.

namespace mailroom::tests::blocking_test {
namespace {

// What a test tells the handlers, and they it.
struct desk {
  std::promise<void> go;
  std::shared_future<void> gone{go.get_future()};
  tally blocked;
  tally plain;
  tally continued;
  tally stopped;
  std::atomic<int> inside{0};
  std::atomic<int> together{0};  ///< How often another handler ran beside a blocking one.
};

class clerk {
 public:
  explicit clerk(std::shared_ptr<desk> at) : at_(std::move(at)) {}

  std::string blocks(context&) {
    at_->inside = 1;
    at_->blocked.add();
    at_->gone.wait();
    at_->inside = 0;
    return this_thread_name();
  }
  int pause(context&, int milliseconds) {
    at_->together += at_->inside.exchange(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    at_->inside = 0;
    return milliseconds;
  }
  int plain(context&, int n) {
    at_->together += at_->inside;
    at_->plain.add();
    return n;
  }
  task<int> naps(context& ctx, int milliseconds) {
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    at_->together += at_->inside;
    at_->continued.add();
    co_return 1;
  }
  int fails(context&) { throw std::out_of_range("while blocking"); }
  int denies(context&) { throw call_error(error(errc::denied, "not for you")); }
  void nothing(context&) {}
  // Waits as suspending handlers do, and for what they can wait for.
  int waits(context& ctx) {
    const auto to = ctx.client({.topic = "clerk1"});
    ctx.sleep(1ms);
    auto out = to.async_call<int>("plain", 20);
    const auto part = [](context& inner) -> task<int> {
      co_await inner.sleep(1ms);
      co_return 300;
    };
    const int called = to.call<int>("plain", 1).value();
    const bool expired =
        !mailroom::wait(ctx.client({.topic = "clerk1"}).async_call<int>("naps_long"), 5ms);
    return called + mailroom::wait(out).value() + mailroom::wait(part(ctx)) +
           mailroom::wait(on_fiber([&] {
             ctx.sleep(1ms);
             return 4000;
           })) +
           (expired ? 50'000 : 0);
  }
  task<int> naps_long(context& ctx) {
    co_await ctx.sleep(200ms);
    co_return 1;
  }
  // Looks at its token while it blocks.
  int watches(context& ctx) {
    const auto stop = ctx.stop_token();
    at_->blocked.add();
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(1ms);
    }
    at_->stopped.add();
    return 1;
  }
  int sleeps_long(context& ctx) {
    at_->blocked.add();
    ctx.sleep(1h);
    return 1;
  }
  task<int> sleeps_long_too(context& ctx) {
    at_->plain.add();
    co_await ctx.sleep(1h);
    co_return 1;
  }

  static endpoint_builder<clerk> described(std::shared_ptr<desk> at) {
    return endpoint<clerk>(std::move(at))
        .method("blocks", &clerk::blocks, blocking)
        .method("pause", &clerk::pause, blocking)
        .method("plain", &clerk::plain)
        .method("naps", &clerk::naps)
        .method("naps_long", &clerk::naps_long)
        .method("fails", &clerk::fails, blocking)
        .method("denies", &clerk::denies, blocking)
        .method("nothing", &clerk::nothing, blocking)
        .method("waits", &clerk::waits, blocking)
        .method("watches", &clerk::watches, blocking)
        .method("sleeps_long", &clerk::sleeps_long, blocking)
        .method("sleeps_long_too", &clerk::sleeps_long_too);
  }

 private:
  std::shared_ptr<desk> at_;
};

struct office {
  office(std::string_view policy, std::size_t threads, int endpoints = 2)
      : nodes(site::options{.policy = std::string(policy), .blocking_threads = threads}) {
    for (int i = 0; i < endpoints; ++i) {
      nodes.back.serve({.topic = "clerk" + std::to_string(i)}, clerk::described(at));
    }
    nodes.connect();
  }
  ~office() { let_go(); }
  void let_go() {
    if (!std::exchange(let_go_, true)) {
      at->go.set_value();
    }
  }
  mailroom::client clerk_client(int index = 0) {
    return nodes.client({.topic = "clerk" + std::to_string(index)});
  }

  std::shared_ptr<desk> at = std::make_shared<desk>();
  pair nodes;

 private:
  bool let_go_ = false;
};

void on_every_executor(const std::function<void(std::string_view)>& test) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      test(policy);
    }
  }
}

bool is_blocking_thread(const std::string& name) {
  return name.starts_with("mr-block-");
}

template <class T>
std::string code_of(const result<T>& got) {
  return got ? "ok" : std::string(to_string(got.error().code()));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_blocking)

BOOST_AUTO_TEST_CASE(runs_on_a_thread_of_the_pool) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    auto got = here.clerk_client().future_call<std::string>("blocks");
    BOOST_TEST(here.at->blocked.reaches(1));
    here.let_go();
    BOOST_TEST(is_blocking_thread(got.get().value()));
    BOOST_TEST(here.clerk_client().call<void>("nothing").has_value());
  });
}

BOOST_AUTO_TEST_CASE(tells_what_was_thrown) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    const auto failed = here.clerk_client().call<int>("fails");
    BOOST_TEST(code_of(failed) == "handler_failed");
    BOOST_TEST(failed.error().message() == "while blocking");
    BOOST_TEST(code_of(here.clerk_client().call<int>("denies")) == "denied");
  });
}

BOOST_AUTO_TEST_CASE(has_its_endpoint_to_itself) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    const auto to = here.clerk_client();
    auto coroutine = to.future_call<int>("naps", 20);
    auto blocked = to.future_call<std::string>("blocks");
    auto plain = to.future_call<int>("plain", 7);
    BOOST_TEST(here.at->blocked.reaches(1));
    // Time for what must not happen: the nap would be over. The other endpoint serves.
    const int before = here.at->continued.value();
    BOOST_TEST(here.clerk_client(1).call<int>("naps", 40).value() == 1);
    BOOST_TEST(here.at->continued.value() == before + 1);
    BOOST_TEST(here.at->plain.value() == 0);
    here.let_go();
    BOOST_TEST(blocked.get().has_value());
    BOOST_TEST(plain.get().value() == 7);
    BOOST_TEST(coroutine.get().value() == 1);
  });
}

BOOST_AUTO_TEST_CASE(is_alone_among_many_handlers_of_all_styles) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 4, 1);
    const auto to = here.clerk_client();
    std::vector<std::future<result<int>>> out;
    for (int i = 0; i < 50; ++i) {
      out.push_back(to.future_call<int>("pause", 1));
      out.push_back(to.future_call<int>("plain", i));
      out.push_back(to.future_call<int>("naps", 1));
    }
    for (auto& each : out) {
      BOOST_REQUIRE(each.get().has_value());
    }
    BOOST_TEST(here.at->together == 0);
  });
}

BOOST_AUTO_TEST_CASE(runs_beside_those_of_other_endpoints) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 3, 4);
    std::vector<std::future<result<std::string>>> out;
    for (int i = 0; i < 4; ++i) {
      out.push_back(here.clerk_client(i).future_call<std::string>("blocks"));
    }
    BOOST_TEST(here.at->blocked.reaches(3));
    BOOST_TEST(eventually([&] { return here.nodes.back.pool().stats().queued == 1; }));
    BOOST_TEST(here.at->blocked.value() == 3);
    here.let_go();
    for (auto& each : out) {
      BOOST_TEST(each.get().has_value());
    }
  });
}

BOOST_AUTO_TEST_CASE(waits_as_suspending_handlers_do) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    BOOST_TEST(here.clerk_client().call<int>("waits").value() == 54'321);
  });
}

BOOST_AUTO_TEST_CASE(does_not_start_what_expired_while_it_waited_for_a_thread) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 1);
    auto blocked = here.clerk_client(0).future_call<std::string>("blocks");
    BOOST_TEST(here.at->blocked.reaches(1));
    const auto hasty = here.clerk_client(1).prepare({.timeout = 20ms});
    const auto late = hasty.call<int>("pause", 1);
    BOOST_TEST(code_of(late) == "expired");
    here.let_go();
    BOOST_TEST(blocked.get().has_value());
    BOOST_TEST(here.clerk_client(1).call<int>("plain", 3).value() == 3);
  });
}

BOOST_AUTO_TEST_CASE(bounds_the_queue_behind_it) {
  on_every_executor([](std::string_view policy) {
    const auto at = std::make_shared<desk>();
    pair nodes(site::options{.policy = std::string(policy)});
    nodes.back.serve({.topic = "clerk0"}, clerk::described(at).queue_limit(10));
    nodes.connect();
    const auto to = nodes.client({.topic = "clerk0"});
    auto blocked = to.future_call<std::string>("blocks");
    BOOST_TEST(at->blocked.reaches(1));
    std::vector<std::future<result<int>>> out;
    for (int i = 0; i < 30; ++i) {
      out.push_back(to.future_call<int>("plain", i));
    }
    // The newest are refused while the handler still blocks.
    std::size_t busy = 0;
    for (std::size_t i = 10; i < out.size(); ++i) {
      busy += code_of(out[i].get()) == "busy" ? 1U : 0U;
    }
    BOOST_TEST(busy == 20U);
    at->go.set_value();
    BOOST_TEST(blocked.get().has_value());
    for (std::size_t i = 0; i < 10; ++i) {
      BOOST_TEST(out[i].get().has_value());
    }
  });
}

BOOST_AUTO_TEST_CASE(is_told_of_the_end_and_unwound_where_it_waits) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    auto watching = here.clerk_client(0).future_call<int>("watches");
    auto suspended = here.clerk_client(1).future_call<int>("sleeps_long_too");
    BOOST_TEST(here.at->plain.reaches(1));
    auto sleeping = here.clerk_client(1).future_call<int>("sleeps_long");
    BOOST_TEST(here.at->blocked.reaches(2));
    here.nodes.back.end();
    BOOST_TEST(watching.get().value() == 1);
    BOOST_TEST(here.at->stopped.value() == 1);
    BOOST_TEST(code_of(sleeping.get()) == "cancelled");
    BOOST_TEST(code_of(suspended.get()) == "cancelled");
  });
}

BOOST_AUTO_TEST_CASE(does_not_begin_after_the_end) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 1);
    auto blocked = here.clerk_client(0).future_call<std::string>("blocks");
    BOOST_TEST(here.at->blocked.reaches(1));
    auto waiting = here.clerk_client(1).future_call<int>("pause", 1);
    BOOST_TEST(eventually([&] { return here.nodes.back.pool().stats().queued == 1; }));
    here.nodes.back.end();
    const auto refused = waiting.get();
    BOOST_TEST(code_of(refused) == "stopping");
    BOOST_TEST((refused.error().execution() == execution::not_run));
    here.let_go();
    BOOST_TEST(blocked.get().has_value());
  });
}

BOOST_AUTO_TEST_CASE(is_stopped_by_its_deadline) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    const auto hasty = here.clerk_client().prepare({.timeout = 30ms});
    auto watching = hasty.future_call<int>("watches");
    BOOST_TEST(here.at->stopped.reaches(1));
    BOOST_TEST(code_of(watching.get()) == "expired");
  });
}

BOOST_AUTO_TEST_CASE(is_declared_of_functions_that_are_no_coroutines) {
  BOOST_CHECK_THROW(endpoint<clerk>(std::shared_ptr<desk>()).method("x", &clerk::naps, blocking),
                    std::invalid_argument);
  BOOST_CHECK_THROW(
      endpoint<clerk>(std::shared_ptr<desk>()).method("x", &clerk::plain, blocking | suspending),
      std::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::blocking_test
