#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/gather.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <stdexcept>
#include <string>

// What may be awaited, and how often.

namespace mailroom::tests::awaiting_test {
namespace {

class careless {
 public:
  task<int> slow(context& ctx, int n) {
    co_await ctx.sleep(5ms);
    co_return n;
  }
  // One call, awaited from two coroutines at once.
  task<std::string> both(context& ctx) {
    const auto to = ctx.client({.topic = "careless"});
    const auto call = to.async_call<int>("slow", 7);
    auto [first, second] = co_await gather(told(call), told(call));
    co_return first + "; " + second;
  }
  task<std::string> one_after_the_other(context& ctx) {
    const auto to = ctx.client({.topic = "careless"});
    const auto call = to.async_call<int>("slow", 7);
    const std::string first = co_await told(call);
    co_return first + "; " + co_await told(call);
  }

  static endpoint_builder<careless> described() {
    return endpoint<careless>()
        .method("slow", &careless::slow)
        .method("both", &careless::both)
        .method("one_after_the_other", &careless::one_after_the_other);
  }

 private:
  static task<std::string> told(const call_operation<int>& call) {
    try {
      const auto got = co_await call;
      co_return got ? std::to_string(*got) : got.error().to_string();
    } catch (const std::logic_error& misuse) {
      co_return misuse.what();
    }
  }
};

void on_every_executor(const std::function<void(pair&)>& test) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      pair nodes(policy);
      nodes.back.serve({.topic = "careless"}, careless::described());
      nodes.connect();
      test(nodes);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_awaiting)

// The second read an answer that had not come.
BOOST_AUTO_TEST_CASE(refuses_a_second_waiter_of_one_call) {
  on_every_executor([](pair& nodes) {
    const auto got = nodes.client({.topic = "careless"}).call<std::string>("both");
    BOOST_TEST(got.value().find("7; awaited twice") == 0U);
  });
}

BOOST_AUTO_TEST_CASE(gives_the_answer_again_to_who_awaits_it_later) {
  on_every_executor([](pair& nodes) {
    const auto got = nodes.client({.topic = "careless"}).call<std::string>("one_after_the_other");
    BOOST_TEST(got.value() == "7; 7");
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::awaiting_test
