#include <mailroom/tests/framework/executors/until.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/wait_for.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <future>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Functions that are offloaded, on every executor.

namespace mailroom::tests::offload_test {
namespace {

// What a test tells the handlers, and they it.
struct desk {
  std::promise<void> go;
  std::shared_future<void> gone{go.get_future()};
  tally blocked;
  tally continued;
};

class clerk {
 public:
  explicit clerk(std::shared_ptr<desk> at) : at_(std::move(at)) {}

  int plain(context&, int n) { return n; }

  task<std::vector<std::string>> offloads(context& ctx) {
    std::vector<std::string> said{this_thread_name()};
    auto first = ctx.offload([] { return this_thread_name(); });
    said.push_back(co_await ctx.offload([] { return this_thread_name(); }));
    said.push_back(co_await first);
    try {
      co_await ctx.offload([] { throw std::out_of_range("offloaded"); });
    } catch (const std::out_of_range& thrown) {
      said.emplace_back(thrown.what());
    }
    said.push_back(this_thread_name());
    co_return said;
  }
  std::vector<std::string> offloads_on_fiber(context& ctx) {
    std::vector<std::string> said{this_thread_name()};
    auto first = ctx.offload([] { return this_thread_name(); });
    said.push_back(mailroom::wait(ctx.offload([] { return this_thread_name(); })));
    said.push_back(mailroom::wait(first));
    try {
      mailroom::wait(ctx.offload([] { throw std::out_of_range("offloaded"); }));
    } catch (const std::out_of_range& thrown) {
      said.emplace_back(thrown.what());
    }
    said.push_back(this_thread_name());
    return said;
  }
  std::vector<std::string> offloads_while_blocking(context& ctx) {
    return {this_thread_name(), mailroom::wait(ctx.offload([] { return this_thread_name(); }))};
  }
  // What is computed elsewhere comes back by value, a hundred at once.
  task<long> sums(context& ctx) {
    std::vector<long> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), 1);
    const auto sum = [numbers] { return std::accumulate(numbers.begin(), numbers.end(), 0L); };
    std::vector<decltype(ctx.offload(sum))> out;
    for (int i = 0; i < 100; ++i) {
      out.push_back(ctx.offload(sum));
    }
    const auto all = co_await gather(std::move(out));
    co_return std::accumulate(all.begin(), all.end(), 0L);
  }
  // Goes on without what takes too long.
  task<int> offloads_and_leaves(context& ctx) {
    const auto until_let_go = [at = at_] {
      at->blocked.add();
      at->gone.wait();
      at->continued.add();
      return 1;
    };
    const auto came = co_await wait_for(ctx.offload(until_let_go), 5ms);
    co_return came ? 0 : 2;
  }

  static endpoint_builder<clerk> described(std::shared_ptr<desk> at) {
    return endpoint<clerk>(std::move(at))
        .method("plain", &clerk::plain)
        .method("offloads", &clerk::offloads)
        .method("offloads_on_fiber", &clerk::offloads_on_fiber, suspending)
        .method("offloads_while_blocking", &clerk::offloads_while_blocking, blocking)
        .method("sums", &clerk::sums)
        .method("offloads_and_leaves", &clerk::offloads_and_leaves);
  }

 private:
  std::shared_ptr<desk> at_;
};

struct office {
  office(std::string_view policy, std::size_t threads)
      : nodes(site::options{.policy = std::string(policy), .blocking_threads = threads}) {
    nodes.back.serve({.topic = "clerk"}, clerk::described(at));
    nodes.connect();
  }
  ~office() { let_go(); }
  void let_go() {
    if (!std::exchange(let_go_, true)) {
      at->go.set_value();
    }
  }
  mailroom::client clerk_client() { return nodes.client({.topic = "clerk"}); }

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

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_offload)

BOOST_AUTO_TEST_CASE(runs_on_the_pool_and_comes_back_to_the_endpoint) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    for (const auto* method : {"offloads", "offloads_on_fiber"}) {
      const auto said = here.clerk_client().call<std::vector<std::string>>(method).value();
      BOOST_TEST_REQUIRE(said.size() == 5U);
      BOOST_TEST(!is_blocking_thread(said[0]), said[0]);
      BOOST_TEST(is_blocking_thread(said[1]), said[1]);
      BOOST_TEST(is_blocking_thread(said[2]), said[2]);
      BOOST_TEST(said[3] == "offloaded");
      BOOST_TEST(!is_blocking_thread(said[4]), said[4]);
    }
  });
}

BOOST_AUTO_TEST_CASE(takes_no_second_thread_from_a_blocking_handler) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 1);
    const auto said =
        here.clerk_client().call<std::vector<std::string>>("offloads_while_blocking").value();
    BOOST_TEST_REQUIRE(said.size() == 2U);
    BOOST_TEST(said[0] == said[1]);
  });
}

BOOST_AUTO_TEST_CASE(computes_many_at_once) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 3);
    BOOST_TEST(here.clerk_client().call<long>("sums").value() == 100 * 500'500L);
  });
}

BOOST_AUTO_TEST_CASE(lets_its_endpoint_serve_meanwhile_and_outlives_who_left_it) {
  on_every_executor([](std::string_view policy) {
    office here(policy, 2);
    BOOST_TEST(here.clerk_client().call<int>("offloads_and_leaves").value() == 2);
    BOOST_TEST(here.at->blocked.reaches(1));
    BOOST_TEST(here.clerk_client().call<int>("plain", 1).value() == 1);
    here.let_go();
    BOOST_TEST(here.at->continued.reaches(1));
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::offload_test
