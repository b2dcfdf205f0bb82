#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/gather.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mailroom::tests::calls_test {
namespace {

// What handlers share with the test; they run on other threads.
struct shared_state {
  tally ended;
};

class worker {
 public:
  explicit worker(std::shared_ptr<shared_state> with) : with_(std::move(with)) {}

  int twice(context&, int n) { return 2 * n; }
  void nothing(context&) {}
  std::string greet(context& ctx, std::string who) {
    return "hello " + who + " of " + std::string(ctx.caller());
  }
  void told(context&, int n) { with_->ended.add(n); }

  task<int> nap(context& ctx, int milliseconds) {
    const auto before = clock::now();
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - before).count());
  }
  int nap_on_fiber(context& ctx, int milliseconds) {
    const auto before = clock::now();
    ctx.sleep(std::chrono::milliseconds(milliseconds));
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - before).count());
  }

  // Nested calls: depth n asks for depth n - 1.
  task<int> deep(context& ctx, int depth) {
    if (depth == 0) {
      co_return 1;
    }
    auto below =
        co_await ctx.client({.topic = "worker"}).async_call<int>("deep_on_fiber", depth - 1);
    co_return below.value() + 1;
  }
  int deep_on_fiber(context& ctx, int depth) {
    if (depth == 0) {
      return 1;
    }
    return ctx.client({.topic = "worker"}).call<int>("deep", depth - 1).value() + 1;
  }

  task<std::vector<int>> spread(context& ctx, int count) {
    const auto to = ctx.client({.topic = "worker"});
    std::vector<call_operation<int>> calls;
    for (int i = 0; i < count; ++i) {
      calls.push_back(to.async_call<int>("twice", i));
    }
    std::vector<int> values;
    for (auto& each : co_await gather(std::move(calls))) {
      values.push_back(each.value());
    }
    co_return values;
  }

  // What a call that cannot wait says, as code and words.
  std::string blocks(context& ctx) {
    return said(ctx.client({.topic = "worker"}).call<int>("twice", 1));
  }
  task<std::string> blocks_in_coroutine(context& ctx) {
    co_return said(ctx.client({.topic = "worker"}).call<int>("twice", 1));
  }

  std::int64_t time_left(context& ctx) {
    return ctx.deadline().is_none() ? -1
                                    : std::chrono::duration_cast<std::chrono::milliseconds>(
                                          ctx.deadline().left(clock::now()))
                                          .count();
  }
  task<std::int64_t> nested_time_left(context& ctx, int timeout_ms) {
    const auto patient =
        ctx.client({.topic = "worker"}).prepare({.timeout = std::chrono::milliseconds(timeout_ms)});
    co_return (co_await patient.async_call<std::int64_t>("time_left")).value();
  }
  std::int64_t nested_time_left_on_fiber(context& ctx, int timeout_ms) {
    const auto patient =
        ctx.client({.topic = "worker"}).prepare({.timeout = std::chrono::milliseconds(timeout_ms)});
    return patient.call<std::int64_t>("time_left").value();
  }

  static std::string said(const result<int>& got) {
    return got ? "answered" : got.error().to_string();
  }

  static endpoint_builder<worker> described(std::shared_ptr<shared_state> with) {
    return endpoint<worker>(std::move(with))
        .method("twice", &worker::twice)
        .method("nothing", &worker::nothing)
        .method("greet", &worker::greet)
        .method("told", &worker::told)
        .method("nap", &worker::nap)
        .method("nap_on_fiber", &worker::nap_on_fiber, suspending)
        .method("deep", &worker::deep)
        .method("deep_on_fiber", &worker::deep_on_fiber, suspending)
        .method("spread", &worker::spread)
        .method("blocks", &worker::blocks)
        .method("blocks_in_coroutine", &worker::blocks_in_coroutine)
        .method("time_left", &worker::time_left)
        .method("nested_time_left", &worker::nested_time_left)
        .method("nested_time_left_on_fiber", &worker::nested_time_left_on_fiber, suspending);
  }

 private:
  std::shared_ptr<shared_state> with_;
};

struct scene {
  explicit scene(std::string_view policy) : nodes(policy) {
    nodes.back.serve({.topic = "worker", .version = "1.4"}, worker::described(state));
    nodes.connect();
  }
  mailroom::client client() { return nodes.client({.topic = "worker"}); }

  std::shared_ptr<shared_state> state = std::make_shared<shared_state>();
  pair nodes;
};

// The same on every executor.
void on_every_executor(const std::function<void(scene&)>& test) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      scene s(policy);
      test(s);
    }
  }
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_calls)

BOOST_AUTO_TEST_CASE(are_answered) {
  on_every_executor([](scene& s) {
    const auto to = s.client();
    BOOST_TEST(to.call<int>("twice", 21).value() == 42);
    BOOST_TEST(to.call<void>("nothing").has_value());
    BOOST_TEST(to.call<std::string>("greet", "ann").value() == "hello ann of front");
  });
}

BOOST_AUTO_TEST_CASE(say_what_is_wrong_with_them) {
  on_every_executor([](scene& s) {
    const auto to = s.client();
    const auto few = to.call<int>("twice");
    BOOST_TEST((few.error() == errc::invalid_arguments));
    BOOST_TEST(contains(few.error().message(), "worker.twice takes 1 arguments, got 0"));
    const auto type = to.call<int>("twice", "two");
    BOOST_TEST((type.error() == errc::invalid_arguments));
    const auto method = to.call<int>("twise", 1);
    BOOST_TEST((method.error() == errc::no_such_method));
    BOOST_TEST(contains(method.error().message(), "nearest: twice"));
    const auto version = to.prepare({.version = "1.5"}).call<int>("twice", 1);
    BOOST_TEST((version.error() == errc::unsupported_version));
    BOOST_TEST(contains(version.error().message(), "1.5"));
    BOOST_TEST(contains(version.error().message(), "1.4"));
    const auto space = to.prepare({.name_space = "admin"}).call<int>("twice", 1);
    BOOST_TEST((space.error() == errc::no_such_namespace));
    const auto reply = to.call<std::vector<int>>("twice", 1);
    BOOST_TEST((reply.error() == errc::bad_reply));
    BOOST_TEST(contains(reply.error().message(), "worker.twice"));
    const auto nobody = s.nodes.client({.topic = "warker"}).call<int>("twice", 1);
    BOOST_TEST((nobody.error() == errc::no_server));
    BOOST_TEST((nobody.error().execution() == execution::not_run));
    BOOST_TEST(contains(nobody.error().message(), "warker"));
    const auto named = to.prepare({.server = "left"}).call<int>("twice", 1);
    BOOST_TEST((named.error() == errc::no_server));
    BOOST_TEST(contains(named.error().message(), "left"));
    BOOST_TEST(to.prepare({.server = "back"}).call<int>("twice", 1).value() == 2);
  });
}

// They were sent, and ran, as long as the clocks of both sides might differ by so much.
BOOST_AUTO_TEST_CASE(whose_deadline_has_passed_are_not_sent) {
  on_every_executor([](scene& s) {
    for (const duration timeout : {duration::zero(), duration(-5s), duration::min()}) {
      const auto late = s.client().prepare({.timeout = timeout});
      const auto call = late.call<int>("twice", 1);
      BOOST_TEST((call.error() == errc::expired));
      BOOST_TEST((call.error().execution() == execution::not_run));
      BOOST_TEST((late.cast("told", 1).error() == errc::expired));
    }
    s.client().cast("told", 100).value();
    BOOST_TEST(s.state->ended.reaches(100));
    BOOST_TEST(s.client().call<int>("twice", 1).value() == 2);
    BOOST_TEST(s.state->ended.value() == 100);
  });
}

// The index of topics referred to names on the stack: a topic was not known again, or was another.
BOOST_AUTO_TEST_CASE(of_one_topic_go_to_the_same_servers_whatever_their_method) {
  site node("one");
  std::vector<const rpc::topic_servers*> first;
  for (int i = 0; i < 100; ++i) {
    const target at{.topic = "topic-" + std::to_string(i)};
    first.push_back(node.connector().name(at, "a").value()->servers);
  }
  for (int i = 0; i < 100; ++i) {
    const target at{.topic = "topic-" + std::to_string(i)};
    BOOST_TEST(node.connector().name(at, "b").value()->servers ==
               first[static_cast<std::size_t>(i)]);
  }
}

BOOST_AUTO_TEST_CASE(need_a_whole_target) {
  scene s("cooperative");
  BOOST_TEST((s.nodes.client({}).call<int>("twice", 1).error() == errc::invalid_target));
  BOOST_TEST((s.nodes.client({.topic = "worker", .version = "one"}).call<int>("twice", 1).error() ==
              errc::invalid_target));
  BOOST_TEST((s.client().fanout().call<int>("twice", 1).error() == errc::invalid_target));
  BOOST_TEST(
      (s.client().fanout().future_call<int>("twice", 1).get().error() == errc::invalid_target));
}

BOOST_AUTO_TEST_CASE(sleep_without_a_thread_in_every_style) {
  on_every_executor([](scene& s) {
    for (const auto* method : {"nap", "nap_on_fiber"}) {
      std::vector<std::future<result<int>>> naps;
      for (int i = 0; i < 100; ++i) {
        naps.push_back(s.client().future_call<int>(method, 20));
      }
      for (auto& each : naps) {
        BOOST_TEST(each.get().value() >= 20);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(name_the_method_that_would_block_and_both_remedies) {
  on_every_executor([](scene& s) {
    for (const auto* method : {"blocks", "blocks_in_coroutine"}) {
      const auto said = s.client().call<std::string>(method).value();
      BOOST_TEST(contains(said, "would_block"));
      BOOST_TEST(contains(said, "twice"));
      BOOST_TEST(contains(said, std::string("worker.") + method));
      BOOST_TEST(contains(said, "suspending"));
      BOOST_TEST(contains(said, "co_await"));
    }
  });
}

BOOST_AUTO_TEST_CASE(nest) {
  on_every_executor([](scene& s) {
    BOOST_TEST(s.client().call<int>("deep", 3).value() == 4);
    BOOST_TEST(s.client().call<int>("deep_on_fiber", 3).value() == 4);
    BOOST_TEST(s.client().call<int>("deep", 50).value() == 51);
  });
}

BOOST_AUTO_TEST_CASE(are_gathered_in_one_handler) {
  on_every_executor([](scene& s) {
    const auto values = s.client().call<std::vector<int>>("spread", 100).value();
    BOOST_TEST_REQUIRE(values.size() == 100U);
    for (int i = 0; i < 100; ++i) {
      BOOST_TEST(values[static_cast<std::size_t>(i)] == 2 * i);
    }
  });
}

BOOST_AUTO_TEST_CASE(inherit_the_deadline_of_the_handler_that_makes_them) {
  on_every_executor([](scene& s) {
    const auto hurried = s.client().prepare({.timeout = 20s});
    for (const auto* method : {"nested_time_left", "nested_time_left_on_fiber"}) {
      const auto longer = hurried.call<std::int64_t>(method, 3'600'000).value();
      BOOST_TEST(longer > 0);
      BOOST_TEST(longer <= 20'000);
      BOOST_TEST(hurried.call<std::int64_t>(method, 10'000).value() <= 10'000);
    }
  });
}

BOOST_AUTO_TEST_CASE(expire) {
  on_every_executor([](scene& s) {
    const auto before = clock::now();
    const auto got = s.client().prepare({.timeout = 20ms}).call<int>("nap", 60'000);
    BOOST_TEST((got.error() == errc::expired));
    BOOST_TEST(contains(got.error().message(), "worker.nap"));
    BOOST_TEST((clock::now() - before < 30s));
    BOOST_TEST(s.nodes.front.connector().counts().expired.load() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(that_are_answered_late_are_counted) {
  on_every_executor([](scene& s) {
    const auto got = s.client().prepare({.timeout = 20ms}).call<int>("nap", 60);
    BOOST_TEST((got.error() == errc::expired));
    BOOST_TEST(eventually([&] { return s.nodes.front.connector().counts().late.load() == 1; }));
    BOOST_TEST(s.client().call<int>("twice", 1).value() == 2);
    BOOST_TEST(s.nodes.front.connector().counts().answered.load() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(come_from_any_thread) {
  on_every_executor([](scene& s) {
    const auto to = s.client();
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          const auto got = to.call<int>("twice", 1000 * t + i);
          good += got && *got == 2 * (1000 * t + i) ? 1 : 0;
        }
      });
    }
    for (auto& each : threads) {
      each.join();
    }
    BOOST_TEST(good.load() == 800);
  });
}

BOOST_AUTO_TEST_CASE(keep_promises) {
  on_every_executor([](scene& s) {
    std::vector<std::future<result<int>>> futures;
    for (int i = 0; i < 1000; ++i) {
      futures.push_back(s.client().future_call<int>("twice", i));
    }
    for (int i = 0; i < 1000; ++i) {
      BOOST_TEST(futures[static_cast<std::size_t>(i)].get().value() == 2 * i);
    }
    BOOST_TEST((s.client().future_call<int>("twise", 1).get().error() == errc::no_such_method));
  });
}

BOOST_AUTO_TEST_CASE(that_only_tell_arrive) {
  on_every_executor([](scene& s) {
    for (int i = 0; i < 100; ++i) {
      BOOST_TEST(s.client().cast("told", 1).has_value());
    }
    BOOST_TEST(s.state->ended.reaches(100));
    const auto nobody = s.nodes.client({.topic = "warker"}).cast("told", 1);
    BOOST_TEST((nobody.error() == errc::no_server));
  });
}

BOOST_AUTO_TEST_CASE(that_only_tell_reach_every_server_by_fanout) {
  on_every_executor([](scene& s) {
    site other("other", {.policy = "cooperative"});
    other.serve({.topic = "worker"}, worker::described(s.state));
    s.nodes.front.connect(other);
    for (int i = 0; i < 10; ++i) {
      BOOST_TEST(s.client().fanout().cast("told", 1).has_value());
    }
    BOOST_TEST(s.state->ended.reaches(20));
    BOOST_TEST(other.server().counts().casts.load() == 10U);
    BOOST_TEST(s.nodes.back.server().counts().casts.load() == 10U);
    // Nobody there is no error: it went to all there are.
    for (int i = 0; i < 3; ++i) {
      BOOST_TEST(s.nodes.client({.topic = "warker", .fanout = true}).cast("told", 1).has_value());
    }
    BOOST_TEST(eventually([&] { return s.nodes.front.connector().counts().unroutable == 3U; }));
    s.nodes.front.cut(other);
  });
}

BOOST_AUTO_TEST_CASE(go_round_the_servers) {
  scene s("loop-bound");
  site other("other", {.policy = "cooperative"});
  other.serve({.topic = "worker"}, worker::described(s.state));
  s.nodes.front.connect(other);
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(s.client().call<int>("twice", 1).has_value());
  }
  BOOST_TEST(other.server().counts().calls.load() == 10U);
  s.nodes.front.cut(other);
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(s.client().call<int>("twice", 1).has_value());
  }
  BOOST_TEST(other.server().counts().calls.load() == 10U);
}

BOOST_AUTO_TEST_CASE(start_in_the_order_one_client_sent_them) {
  on_every_executor([](scene& s) {
    class journal {
     public:
      explicit journal(std::shared_ptr<std::vector<int>> into) : into_(std::move(into)) {}
      void write(context&, int n) { into_->push_back(n); }

     private:
      std::shared_ptr<std::vector<int>> into_;
    };
    const auto seen = std::make_shared<std::vector<int>>();
    s.nodes.back.serve({.topic = "journal"},
                       endpoint<journal>(seen).method("write", &journal::write));
    site late("late");
    late.connect(s.nodes.back);
    const auto to = late.client({.topic = "journal"});
    std::vector<std::future<result<void>>> calls;
    for (int i = 0; i < 2000; ++i) {
      calls.push_back(to.future_call<void>("write", i));
    }
    for (auto& each : calls) {
      BOOST_TEST(each.get().has_value());
    }
    BOOST_TEST_REQUIRE(seen->size() == 2000U);
    BOOST_TEST(std::is_sorted(seen->begin(), seen->end()));
    late.close();
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::calls_test
