#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>

#include <exception>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

// Exceptions in flight while handlers wait, many at once, on every executor. (A coroutine cannot
// wait inside a catch block; it takes the exception along, and may go on on another thread.)

namespace mailroom::tests::exceptions_test {
namespace {

class juggler {
 public:
  // Waits inside a catch block, throws on what it caught, and never another's.
  int rethrows_on_fiber(context& ctx, int number) {
    try {
      throw std::out_of_range(std::to_string(number));
    } catch (const std::exception&) {
      pause(ctx, number);
      throw;
    }
  }
  int rethrows_while_blocking(context& ctx, int number) { return rethrows_on_fiber(ctx, number); }

  // Catch blocks within each other, each with a wait, and a task that throws and catches too.
  int nests(context& ctx, int number) {
    int caught = 0;
    try {
      throw number;
    } catch (const int& outer) {
      pause(ctx, number);
      try {
        throw std::out_of_range(std::to_string(number + 1));
      } catch (const std::out_of_range& inner) {
        caught += mailroom::wait(catches(ctx, number));
        pause(ctx, number + 1);
        caught += std::stoi(inner.what()) == number + 1 ? 10 : 0;
      }
      caught += outer == number ? 100 : 0;
      try {
        throw;
      } catch (const int& again) {
        caught += again == number ? 1000 : 0;
      }
    }
    return caught + (std::current_exception() ? 0 : 10'000);
  }

  // Counts for itself, however many others are unwinding at the moment.
  int counts_uncaught(context& ctx, int number) {
    struct guard {
      context& ctx;
      int number;
      int& seen;
      ~guard() {
        pause(ctx, number);
        seen = std::uncaught_exceptions();
      }
    };
    int seen = -1;
    try {
      const guard waits{ctx, number, seen};
      if (number % 2 == 0) {
        throw std::out_of_range("unwinding");
      }
    } catch (const std::out_of_range&) {
      pause(ctx, number);
    }
    return seen == 1 - number % 2 && std::uncaught_exceptions() == 0 ? 1 : 0;
  }

  task<int> takes_along(context& ctx, int number) {
    std::exception_ptr kept;
    try {
      throw std::out_of_range(std::to_string(number));
    } catch (...) {
      kept = std::current_exception();
    }
    co_await ctx.sleep(std::chrono::microseconds(number % 7 * 100));
    std::rethrow_exception(kept);
  }
  task<int> catches(context& ctx, int number) {
    int caught = 0;
    for (int i = 0; i < 3; ++i) {
      try {
        co_await takes_along(ctx, number);
      } catch (const std::out_of_range& thrown) {
        caught += std::stoi(thrown.what()) == number ? 1 : 0;
      }
      caught -= std::current_exception() ? 1 : 0;
    }
    co_return caught == 3 ? 1 : 0;
  }
  task<int> across(context& ctx, int number) {
    const auto fails = [&] { return rethrows_on_fiber(ctx, number); };
    int caught = 0;
    try {
      co_await on_fiber(fails);
    } catch (const std::out_of_range& thrown) {
      caught += std::stoi(thrown.what()) == number ? 1 : 0;
    }
    try {
      co_await ctx.offload([number] { throw std::out_of_range(std::to_string(number)); });
    } catch (const std::out_of_range& thrown) {
      caught += std::stoi(thrown.what()) == number ? 1 : 0;
    }
    co_return caught == 2 ? 1 : 0;
  }

  static endpoint_builder<juggler> described() {
    return endpoint<juggler>()
        .method("rethrows_on_fiber", &juggler::rethrows_on_fiber, suspending)
        .method("rethrows_while_blocking", &juggler::rethrows_while_blocking, blocking)
        .method("nests", &juggler::nests, suspending)
        .method("nests_while_blocking", &juggler::nests, blocking)
        .method("counts_uncaught", &juggler::counts_uncaught, suspending)
        .method("takes_along", &juggler::takes_along)
        .method("catches", &juggler::catches)
        .method("across", &juggler::across);
  }

 private:
  static void pause(context& ctx, int number) {
    ctx.sleep(std::chrono::microseconds(number % 5 * 100));
  }
};

// Coroutines only, so that work-stealing moves them.
class wanderer {
 public:
  task<int> takes_along(context& ctx, int number) { return juggler().catches(ctx, number); }

  static endpoint_builder<wanderer> described() {
    return endpoint<wanderer>().method("takes_along", &wanderer::takes_along);
  }
};

constexpr int many = 60;

template <class Check>
void call_many(std::string_view policy, const std::string& method, const Check& check) {
  pair nodes(policy);
  nodes.back.serve({.topic = "juggler"}, juggler::described());
  nodes.connect();
  const auto to = nodes.client({.topic = "juggler"});
  std::vector<std::future<result<int>>> out;
  for (int i = 0; i < many; ++i) {
    out.push_back(to.future_call<int>(method, i));
  }
  for (int i = 0; i < many; ++i) {
    check(out[static_cast<std::size_t>(i)].get(), i);
  }
}

void throws_its_own(const result<int>& got, int number) {
  BOOST_REQUIRE(!got);
  BOOST_TEST((got.error() == errc::handler_failed));
  BOOST_TEST(got.error().message() == std::to_string(number));
  BOOST_TEST(got.error().type() == "std::out_of_range");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_exceptions)

BOOST_AUTO_TEST_CASE(are_rethrown_by_who_caught_them) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      for (const auto* method : {"rethrows_on_fiber", "rethrows_while_blocking", "takes_along"}) {
        BOOST_TEST_CONTEXT(method) {
          call_many(policy, method, throws_its_own);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(nest_around_waits) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      for (const auto* method : {"nests", "nests_while_blocking"}) {
        call_many(
            policy, method, [](const result<int>& got, int) { BOOST_TEST(got.value() == 11'111); });
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(are_counted_by_each_handler_for_itself) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      call_many(policy, "counts_uncaught", [](const result<int>& got, int) {
        BOOST_TEST(got.value() == 1);
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(come_from_fibers_and_threads_to_coroutines) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      for (const auto* method : {"catches", "across"}) {
        call_many(
            policy, method, [](const result<int>& got, int) { BOOST_TEST(got.value() == 1); });
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(travel_with_coroutines_from_thread_to_thread) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      pair nodes(policy);
      for (int i = 0; i < 8; ++i) {
        nodes.back.serve({.topic = "wanderer" + std::to_string(i)}, wanderer::described());
      }
      nodes.connect();
      std::vector<std::future<result<int>>> out;
      for (int i = 0; i < 20 * 8; ++i) {
        out.push_back(nodes.client({.topic = "wanderer" + std::to_string(i % 8)})
                          .future_call<int>("takes_along", i));
      }
      for (auto& each : out) {
        BOOST_TEST(each.get().value() == 1);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::exceptions_test
