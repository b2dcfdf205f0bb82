#include <mailroom/tests/framework/async/hand_home.hpp>
#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/rpc/support/waiting.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::tests::limits_test {
namespace {

using calls = std::vector<std::future<result<int>>>;

calls many(const mailroom::client& to, std::string_view method, int count, int argument) {
  calls out;
  out.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    out.push_back(to.future_call<int>(method, argument));
  }
  return out;
}

void on_every_executor_and_style(
    const std::function<void(const std::string& policy, const std::string& method)>& test) {
  for (const auto policy : executors::policies()) {
    for (const auto* method : {"join", "join_on_fiber"}) {
      BOOST_TEST_CONTEXT(policy << ", " << method) {
        test(std::string(policy), method);
      }
    }
  }
}

void add_call(wire::batch& into, std::uint64_t id, std::uint32_t route, std::size_t argument) {
  wire::call_head head;
  head.id = id;
  head.route = route;
  head.write(into.begin(wire::kind::call, wire::call_head::size));
  wire::pack_arguments(into.bytes(), argument);
  into.finish();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_limits)

BOOST_AUTO_TEST_CASE(ten_thousand_calls_wait_at_once_and_no_thread_is_made_for_them) {
  on_every_executor_and_style([](const std::string& policy, const std::string& method) {
    const int count = under_tsan && method == "join_on_fiber" ? 300 : 10'000;
    const auto room = std::make_shared<waiting_room>();
    pair nodes(policy);
    nodes.back.serve({.topic = "waiting"}, waiting::described(room));
    nodes.connect();
    const auto to = nodes.client({.topic = "waiting"});
    const auto before = thread_count();
    auto out = many(to, method, count - 1, count);
    BOOST_TEST_REQUIRE(room->started.reaches(count - 1));
    BOOST_TEST(thread_count() == before);
    BOOST_TEST(room->ended.value() == 0);
    BOOST_TEST(to.call<int>(method, count).value() == count);
    const auto good = std::count_if(
        out.begin(), out.end(), [&](auto& each) { return each.get().value() == count; });
    BOOST_TEST(good == count - 1);
    BOOST_TEST(thread_count() == before);
  });
}

BOOST_AUTO_TEST_CASE(a_link_that_is_cut_ends_calls_at_once_and_their_handlers_when_they_are_done) {
  on_every_executor_and_style([](const std::string& policy, const std::string& method) {
    const auto room = std::make_shared<waiting_room>();
    pair nodes(policy);
    nodes.back.serve({.topic = "waiting"}, waiting::described(room));
    nodes.connect();
    auto out = many(nodes.client({.topic = "waiting"}), method, 100, 1000);
    BOOST_TEST_REQUIRE(room->started.reaches(100));
    nodes.front.cut(nodes.back);
    for (auto& each : out) {
      const auto got = each.get();
      BOOST_TEST_REQUIRE(!got.has_value());
      BOOST_TEST((got.error() == errc::lost));
      BOOST_TEST((got.error().execution() == execution::may_have_run));
    }
    BOOST_TEST(eventually([&] { return nodes.back.server().peers() == 1; }));  // Itself.
    BOOST_TEST(nodes.back.client({.topic = "waiting"}).call<void>("go").has_value());
    BOOST_TEST(room->ended.reaches(100));  // Their answers vanish.
    nodes.front.connect(nodes.back);
    BOOST_TEST(nodes.client({.topic = "waiting"}).call<std::string>("repeat", 3).value() == "xxx");
  });
}

BOOST_AUTO_TEST_CASE(a_cast_may_outlive_the_link_it_came_by) {
  on_every_executor_and_style([](const std::string& policy, const std::string& method) {
    const auto room = std::make_shared<waiting_room>();
    pair nodes(policy);
    nodes.back.serve({.topic = "waiting"}, waiting::described(room));
    nodes.connect();
    for (int i = 0; i < 50; ++i) {
      BOOST_TEST(nodes.client({.topic = "waiting"}).cast(method, 1000).has_value());
    }
    BOOST_TEST_REQUIRE(room->started.reaches(50));
    nodes.front.cut(nodes.back);
    BOOST_TEST(eventually([&] { return nodes.back.server().peers() == 1; }));
    BOOST_TEST(nodes.back.client({.topic = "waiting"}).call<void>("go").has_value());
    BOOST_TEST(room->ended.reaches(50));
  });
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_cancels_its_handlers_and_says_so) {
  on_every_executor_and_style([](const std::string& policy, const std::string& method) {
    const auto room = std::make_shared<waiting_room>();
    pair nodes(policy);
    auto& activation = nodes.back.serve({.topic = "waiting"}, waiting::described(room));
    nodes.connect();
    auto out = many(nodes.client({.topic = "waiting"}), method, 100, 1000);
    BOOST_TEST_REQUIRE(room->started.reaches(100));
    activation.end();
    for (auto& each : out) {
      const auto got = each.get();
      BOOST_TEST_REQUIRE(!got.has_value());
      BOOST_TEST((got.error() == errc::cancelled));
    }
    BOOST_TEST(room->ended.value() == 100);
    const auto later = nodes.client({.topic = "waiting"}).call<std::string>("repeat", 3);
    BOOST_TEST((later.error() == errc::stopping));
    BOOST_TEST((later.error().execution() == execution::not_run));
  });
}

BOOST_AUTO_TEST_CASE(the_calling_side_refuses_what_its_peer_would) {
  for (const auto policy : executors::policies()) {
    const auto room = std::make_shared<waiting_room>();
    site back("back", {.policy = std::string(policy)});
    back.serve({.topic = "waiting"}, waiting::described(room));
    site front("front");
    front.connect(back, 10);
    const auto to = front.client({.topic = "waiting"});
    auto out = many(to, "join", 10, 1000);
    BOOST_TEST_REQUIRE(room->started.reaches(10));
    const auto over = to.call<int>("join", 1000);
    BOOST_TEST((over.error() == errc::busy));
    BOOST_TEST((over.error().execution() == execution::not_run));
    BOOST_TEST(over.error().retry_after().count() > 0);
    BOOST_TEST(to.cast("go").has_value());  // Casts hold no place.
    for (auto& each : out) {
      BOOST_TEST(each.get().has_value());
    }
    BOOST_TEST(to.call<std::string>("repeat", 1).has_value());
  }
}

// Each refusal gave back a place that it had never taken.
BOOST_AUTO_TEST_CASE(a_peer_gets_its_bound_of_calls_in_flight_and_not_one_more) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto room = std::make_shared<waiting_room>();
      pair nodes(policy, {.in_flight = 10});
      nodes.back.serve({.topic = "waiting"}, waiting::described(room));
      nodes.connect();
      auto out = many(nodes.client({.topic = "waiting"}), "join", 40, 1000);
      BOOST_TEST_REQUIRE(room->started.reaches(10));
      BOOST_TEST(eventually([&] { return nodes.back.server().counts().refused.load() >= 30; }));
      BOOST_TEST(room->started.value() == 10);
      BOOST_TEST(nodes.back.client({.topic = "waiting"}).call<void>("go").has_value());
      std::size_t good = 0;
      for (auto& each : out) {
        const auto got = each.get();
        if (got) {
          ++good;
        } else {
          BOOST_TEST((got.error() == errc::busy));
          BOOST_TEST((got.error().execution() == execution::not_run));
        }
      }
      BOOST_TEST(good == 10U);
      // The places are free again.
      BOOST_TEST(nodes.client({.topic = "waiting"}).call<std::string>("repeat", 1).has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_read_its_answers_is_cut_off) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto room = std::make_shared<waiting_room>();
      site back("back",
                {.policy = std::string(policy), .bounds = {.backlog = std::size_t{1} << 20U}});
      back.serve({.topic = "waiting"}, waiting::described(room));
      fake_peer peer(back);
      peer.attach();
      peer.declare(0, "waiting", "repeat");
      peer.stop_reading();
      wire::batch batch(wire::plane::data);
      for (std::uint64_t id = 1; id <= 100; ++id) {
        add_call(batch, id, 0, 64U << 10U);
      }
      peer.feed(batch.take());
      // It says nothing more: the answers alone must bring it over the bound.
      BOOST_TEST(eventually([&] { return peer.closed(); }));
      BOOST_TEST(back.server().counts().cut_off.load() == 1U);
      BOOST_TEST(back.server().peers() == 0U);
    }
  }
}

// Only the bytes of arguments were counted, and calls that wait for a server not at all.
BOOST_AUTO_TEST_CASE(calls_that_wait_for_a_server_take_no_more_than_the_backlog) {
  constexpr std::size_t fit = 10;
  constexpr std::size_t submitted = 1000;
  site alone("alone");
  std::unique_ptr<rpc::connector> out;
  alone.on_loop([&] {
    out = std::make_unique<rpc::connector>(
        alone.loop(),
        platform::system(),
        rpc::connector::limits{.backlog = fit * (sizeof(rpc::pending_call) + 16)});
  });
  const auto* to = out->name({.topic = "nowhere"}, "nothing").value();
  std::vector<ref<rpc::pending_call>> calls;
  for (std::size_t i = 0; i < submitted; ++i) {
    calls.push_back(out->call(*to, rpc::call_settings{.wait_for_ready = true}, std::string(), 1));
  }
  std::size_t wait = 0;
  alone.on_loop([&] {
    for (const auto& each : calls) {
      wait += each->done() ? 0U : 1U;
      if (each->done()) {
        BOOST_TEST((each->failure.value() == errc::busy));
        BOOST_TEST((each->failure->execution() == execution::not_run));
      }
    }
  });
  BOOST_TEST(wait > 0U);
  BOOST_TEST(wait <= fit);
  BOOST_TEST(out->counts().busy.load() == submitted - wait);
  alone.on_loop([&] {
    out->close();
    // Their places are free again.
    const auto last = out->call(*to, rpc::call_settings{.wait_for_ready = true}, std::string(), 1);
    BOOST_TEST((last->failure.value() == errc::cancelled));
    out.reset();
  });
}

// The server took the route for garbage and closed the link, with all that was out on it.
BOOST_AUTO_TEST_CASE(a_name_that_no_server_would_read_is_refused_where_it_is_used) {
  const auto room = std::make_shared<waiting_room>();
  pair nodes("loop-bound");
  nodes.back.serve({.topic = "waiting"}, waiting::described(room));
  nodes.connect();
  const auto to = nodes.client({.topic = "waiting"});
  auto out = to.future_call<int>("join", 2);
  const std::string longest(wire::max_text, 'x');
  const std::string over = longest + "x";
  BOOST_TEST((to.call<int>(longest).error() == errc::no_such_method));
  BOOST_TEST((to.call<int>(over).error() == errc::no_such_method));
  BOOST_TEST((to.cast(over).error() == errc::no_such_method));
  for (const auto& each :
       {target{.topic = over},
        target{.exchange = over, .topic = "waiting"},
        target{.topic = "waiting", .name_space = over},
        target{.topic = "waiting", .version = std::string(over.size(), '1') + ".0"}}) {
    const auto got = nodes.client(each).call<int>("join", 2);
    BOOST_TEST((got.error() == errc::invalid_target));
    BOOST_TEST((got.error().execution() == execution::not_run));
  }
  BOOST_TEST(to.call<int>("join", 2).value() == 2);
  BOOST_TEST(out.get().value() == 2);
}

BOOST_AUTO_TEST_CASE(busy_endpoints_do_not_starve_another_of_the_same_executor) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto busy = std::make_shared<waiting_room>();
      const auto room = std::make_shared<waiting_room>();
      site back("back", {.policy = std::string(policy), .workers = 1});
      for (int i = 0; i < 10; ++i) {
        back.serve({.topic = "busy" + std::to_string(i)}, waiting::described(busy));
      }
      back.serve({.topic = "quick"}, waiting::described(room));
      site front("front");
      front.connect(back);
      constexpr int each_burns = 100;
      for (int i = 0; i < 10; ++i) {
        const auto to = front.client({.topic = "busy" + std::to_string(i)});
        for (int n = 0; n < each_burns; ++n) {
          BOOST_TEST(to.cast("burn", 1000).has_value());
        }
      }
      // A second of work is queued before it, which it does not wait for.
      BOOST_TEST(front.client({.topic = "quick"}).call<std::string>("repeat", 1).has_value());
      BOOST_TEST(busy->ended.value() < 10 * each_burns / 2);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::limits_test
