#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

// Calls that are made and awaited in one statement, with all that this makes and destroys.

namespace mailroom::tests::one_statement_test {
namespace {

// Does not fit into a std::string itself; "worker" does.
constexpr const char* long_topic = "a worker whose topic is longer than a string holds in place";
constexpr const char* long_name_space = "a namespace that is longer than a string holds in place";

class worker {
 public:
  int twice(context&, int n) { return 2 * n; }
  task<int> nap(context& ctx, int milliseconds) {
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return milliseconds;
  }

  // Clients made and used in the statement that awaits them: braces, short texts, long texts, texts
  // that end with the statement.
  task<int> in_one_statement(context& ctx, int times) {
    const std::string head = "wor";
    int sum = 0;
    for (int i = 0; i < times; ++i) {
      sum +=
          (co_await ctx.client({.topic = "worker", .version = "1.4"}).async_call<int>("twice", i))
              .value();
      sum += (co_await ctx.client({.topic = head + "ker"}).async_call<int>("twice", i)).value();
      sum += (co_await ctx.client({.topic = long_topic, .name_space = long_name_space})
                  .prepare({.timeout = std::chrono::seconds(60), .version = "1.4"})
                  .async_call<int>("twice", i))
                 .value();
      sum += (co_await ctx.client({.topic = std::string(long_topic)})
                  .prepare({.name_space = std::string(long_name_space), .server = "back"})
                  .async_call<int>("twice", i))
                 .value();
    }
    co_return sum;
  }
  task<int> fails_in_one_statement(context& ctx) {
    co_return (co_await ctx.client({.topic = long_topic, .version = "1.4"})
                   .prepare({.server = "a server that nobody has ever heard of, by a long name"})
                   .async_call<int>("twice", 1))
        .value();
  }
  task<int> waits_in_one_statement(context& ctx) {
    co_return (co_await ctx.client({.topic = long_topic, .version = "1.4"})
                   .prepare({.timeout = std::chrono::hours(1), .name_space = long_name_space})
                   .async_call<int>("nap", 3'600'000))
        .value();
  }

  static endpoint_builder<worker> described() {
    return endpoint<worker>()
        .method("twice", &worker::twice)
        .method("nap", &worker::nap)
        .method("in_one_statement", &worker::in_one_statement)
        .method("fails_in_one_statement", &worker::fails_in_one_statement)
        .method("waits_in_one_statement", &worker::waits_in_one_statement);
  }
};

struct scene {
  explicit scene(std::string_view policy) : nodes(policy) {
    nodes.back.serve({.topic = "worker", .version = "1.4"}, worker::described());
    nodes.back.serve({.topic = long_topic, .name_space = long_name_space, .version = "1.4"},
                     worker::described());
    nodes.connect();
  }
  mailroom::client client() { return nodes.client({.topic = "worker"}); }

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

// What is written with braces in a statement that awaits has nothing to destroy, see `task`; what
// has is refused.
static_assert(std::is_trivially_copyable_v<target_view>);
static_assert(std::is_trivially_copyable_v<call_options>);
static_assert(std::is_constructible_v<client, rpc::connector&, const target&>);
static_assert(!std::is_constructible_v<client, rpc::connector&, target>);

struct order {
  std::string item;
};
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
static_assert(!async::may_be_braced<order>);
#endif
static_assert(async::may_be_braced<order&>);
static_assert(async::may_be_braced<const order&>);
static_assert(async::may_be_braced<std::string>);
static_assert(async::may_be_braced<target_view>);

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_one_statement)

// g++ 12 destroyed texts twice that were written with braces in the statement that awaits.
BOOST_AUTO_TEST_CASE(are_made_and_awaited_in_one_statement) {
  on_every_executor([](scene& s) {
    for (int i = 0; i < 20; ++i) {
      BOOST_TEST(s.client().call<int>("in_one_statement", 20).value() == 4 * 2 * 190);
    }
    BOOST_TEST((s.client().call<int>("fails_in_one_statement").error() == errc::no_server));
    // The handler still waits when all is torn down: its frame goes with what the statement holds.
    const auto hurried = s.client().prepare({.timeout = 20ms});
    BOOST_TEST((hurried.call<int>("waits_in_one_statement").error() == errc::expired));
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::one_statement_test
