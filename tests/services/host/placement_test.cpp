#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>
#include <pthread.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::tests::placement_test {
namespace {

std::string thread_name() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

std::string threads_of(const std::string& executor) {
  return executor == "cooperative" ? "mr-coop" : executor == "loop-bound" ? "mr-loop" : "mr-ws";
}

struct board {
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  std::atomic<int> out_of_order{0};
  std::promise<void> parked;
  std::shared_future<void> let_go;

  // Notices when somebody else does.
  std::string run_alone() {
    overlapped = overlapped || inside.exchange(1) != 0;
    auto here = thread_name();
    inside = 0;
    return here;
  }
};

// Notices when two of its handlers run at once, and when calls start out of order.
class watched {
 public:
  explicit watched(std::shared_ptr<board> on) : on_(std::move(on)) {}

  std::string thread(context&) { return on_->run_alone(); }
  int next(context&, int number) {
    on_->run_alone();
    if (number != last_ + 1) {
      ++on_->out_of_order;
    }
    last_ = number;
    return number;
  }
  task<std::string> nap(context& ctx, int milliseconds) {
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return on_->run_alone();
  }
  std::string nap_on_fiber(context& ctx, int milliseconds) {
    on_->parked.set_value();
    ctx.sleep(std::chrono::milliseconds(milliseconds));
    return thread_name();
  }

  std::string rest_on_fiber(context& ctx) {
    on_->run_alone();
    ctx.sleep(1ms);
    return on_->run_alone();
  }
  std::string rest_on_thread(context&) {
    std::this_thread::sleep_for(100us);
    return on_->run_alone();
  }

  std::string hold(context&) {
    on_->parked.set_value();
    on_->let_go.wait();
    return thread_name();
  }

  static endpoint_builder<watched> described(std::shared_ptr<board> on) {
    return endpoint<watched>(std::move(on))
        .method("thread", &watched::thread)
        .method("next", &watched::next)
        .method("nap", &watched::nap);
  }

 private:
  std::shared_ptr<board> on_;
  int last_ = 0;
};

struct fixture {
  fixture() { log::set_level(log::level::error); }
  std::shared_ptr<board> on = std::make_shared<board>();
};

std::string thread_seen(const client& of) {
  return of.call<std::string>("thread").value();
}

bool begins_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(host_placement, fixture)

BOOST_AUTO_TEST_CASE(serves_a_topic_where_the_deployment_says) {
  node at({.executor = "cooperative",
           .executors = {{"heavy", "work-stealing", 2}},
           .placement = {{"there", "heavy"}, {"loop", "loop-bound"}}});
  at.serve({.topic = "here"}, watched::described(on));
  at.serve({.topic = "there"}, watched::described(on).placed_on("loop-bound"));
  at.serve({.topic = "loop"}, watched::described(on));
  at.start().value();
  BOOST_TEST(thread_seen(client(at, {.topic = "here"})) == "mr-coop");
  BOOST_TEST(begins_with(thread_seen(client(at, {.topic = "there"})), "mr-ws-"));
  BOOST_TEST(thread_seen(client(at, {.topic = "loop"})) == "mr-loop-0");
}

BOOST_AUTO_TEST_CASE(names_the_executors_that_exist) {
  for (const bool as_placement : {false, true}) {
    node_options with{.executors = {{"heavy", "work-stealing", 1}}};
    if (as_placement) {
      with.placement = {{"here", "havy"}};
    } else {
      with.executor = "havy";
    }
    node at(std::move(with));
    at.serve({.topic = "here"}, watched::described(on));
    const auto refused = at.start();
    BOOST_TEST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error() == errc::invalid_value));
    BOOST_TEST(refused.error().message() ==
               "no executor 'havy' (nearest: heavy); there are cooperative, work-stealing, "
               "loop-bound, heavy");
  }
}

BOOST_AUTO_TEST_CASE(refuses_a_move_that_cannot_be) {
  node at({});
  at.serve({.topic = "here"}, watched::described(on));
  at.start().value();
  BOOST_TEST((at.place("here", "nowhere").error() == errc::invalid_value));
  BOOST_TEST((at.place("elsewhere", "cooperative").error() == errc::no_server));
  BOOST_TEST(thread_seen(client(at, {.topic = "here"})) == "mr-loop-0");
}

BOOST_AUTO_TEST_CASE(moves_an_endpoint_under_load_without_loss_overlap_or_disorder) {
  node server({.listen = "tcp://127.0.0.1:0", .executors = {{"heavy", "work-stealing", 2}}});
  server.serve({.topic = "watched"}, watched::described(on));
  server.start().value();
  node desk({.connect = {server.address()}});
  desk.start().value();
  const client to(desk, {.topic = "watched"});
  std::atomic<bool> enough{false};
  std::atomic<int> failed{0};
  // Order is promised to one client object used by one thread.
  std::thread caller([&] {
    std::vector<std::future<result<int>>> out;
    int number = 0;
    const auto take = [&] {
      for (auto& each : out) {
        failed += each.get().has_value() ? 0 : 1;
      }
      out.clear();
    };
    while (!enough) {
      for (int i = 0; i < 500; ++i) {
        out.push_back(to.future_call<int>("next", ++number));
      }
      take();
    }
  });
  constexpr std::array homes{"cooperative", "heavy", "loop-bound", "work-stealing"};
  for (int i = 0; i < 100; ++i) {
    const std::string home = homes[static_cast<std::size_t>(i) % homes.size()];
    BOOST_TEST(server.place("watched", home).has_value());
    // What starts from now on starts there.
    const auto seen = thread_seen(to);
    BOOST_TEST(begins_with(seen, threads_of(home == "heavy" ? "work-stealing" : home)),
               home << ": " << seen);
  }
  enough = true;
  caller.join();
  BOOST_TEST(failed == 0);
  BOOST_TEST(!on->overlapped);
  BOOST_TEST(on->out_of_order == 0);
  BOOST_TEST(desk.stop());
  BOOST_TEST(server.stop());
}

BOOST_AUTO_TEST_CASE(moves_endpoints_of_every_style_under_load_without_loss) {
  node server({.listen = "tcp://127.0.0.1:0", .executors = {{"heavy", "work-stealing", 2}}});
  server.serve({.topic = "watched"},
               watched::described(on)
                   .method("rest_on_fiber", &watched::rest_on_fiber, suspending)
                   .method("rest_on_thread", &watched::rest_on_thread, blocking));
  server.start().value();
  node desk({.connect = {server.address()}});
  desk.start().value();
  const client to =
      client(desk, {.topic = "watched"}).prepare({.timeout = std::chrono::minutes(1)});
  std::atomic<bool> enough{false};
  std::atomic<int> failed{0};
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (const auto* method : {"thread", "nap", "rest_on_fiber", "rest_on_thread"}) {
    callers.emplace_back([&, name = std::string(method)] {
      while (!enough) {
        std::vector<std::future<result<std::string>>> out;
        for (int i = 0; i < 20; ++i) {
          out.push_back(name == "nap" ? to.future_call<std::string>(name, 1)
                                      : to.future_call<std::string>(name));
        }
        for (auto& each : out) {
          const auto got = each.get();
          failed += got.has_value() ? 0 : 1;
          answered += got.has_value() ? 1 : 0;
        }
      }
    });
  }
  constexpr std::array homes{"cooperative", "heavy", "loop-bound", "work-stealing"};
  std::vector<std::thread> setters;
  std::atomic<int> refused{0};
  for (std::size_t setter = 0; setter < 2; ++setter) {
    setters.emplace_back([&, setter] {
      for (std::size_t i = 0; i < 100; ++i) {
        refused += server.place("watched", homes[(i + 2 * setter) % homes.size()], 30s) ? 0 : 1;
      }
    });
  }
  for (auto& each : setters) {
    each.join();
  }
  enough = true;
  for (auto& each : callers) {
    each.join();
  }
  BOOST_TEST(refused == 0);
  BOOST_TEST(failed == 0);
  BOOST_TEST(answered > 100);
  BOOST_TEST(!on->overlapped);
  BOOST_TEST(desk.stop());
  BOOST_TEST(server.stop());
}

BOOST_AUTO_TEST_CASE(obeys_four_who_move_it_at_once) {
  node at({.executors = {{"heavy", "work-stealing", 2}}});
  at.serve({.topic = "watched"}, watched::described(on));
  at.start().value();
  std::vector<std::thread> setters;
  std::atomic<int> refused{0};
  for (const auto* home : {"cooperative", "heavy", "loop-bound", "work-stealing"}) {
    setters.emplace_back([&, home] {
      for (int i = 0; i < 50; ++i) {
        refused += at.place("watched", home).has_value() ? 0 : 1;
      }
    });
  }
  const client to(at, {.topic = "watched"});
  for (int i = 1; i <= 1000; ++i) {
    BOOST_TEST_REQUIRE(to.call<int>("next", i).value() == i);
  }
  for (auto& each : setters) {
    each.join();
  }
  BOOST_TEST(refused == 0);
  BOOST_TEST(!on->overlapped);
  BOOST_TEST(at.place("watched", "cooperative").has_value());
  BOOST_TEST(thread_seen(to) == "mr-coop");
}

BOOST_AUTO_TEST_CASE(takes_a_sleeping_coroutine_along) {
  node at({.executor = "work-stealing"});
  at.serve({.topic = "watched"}, watched::described(on));
  at.start().value();
  const client to(at, {.topic = "watched"});
  auto nap = to.future_call<std::string>("nap", 200);
  BOOST_TEST(begins_with(thread_seen(to), "mr-ws-"));
  BOOST_TEST(at.place("watched", "cooperative").has_value());
  BOOST_TEST(nap.get().value() == "mr-coop");
}

BOOST_AUTO_TEST_CASE(leaves_a_parked_fiber_where_it_is_and_gives_up_in_time) {
  node at({.executor = "cooperative"});
  at.serve({.topic = "watched"},
           watched::described(on).method("nap_on_fiber", &watched::nap_on_fiber, suspending));
  at.start().value();
  const client to(at, {.topic = "watched"});
  auto nap = to.future_call<std::string>("nap_on_fiber", 400);
  on->parked.get_future().wait();
  const auto undone = at.place("watched", "loop-bound", 50ms);
  BOOST_TEST_REQUIRE(!undone.has_value());
  BOOST_TEST((undone.error() == errc::expired));
  BOOST_TEST(thread_seen(to) == "mr-coop");
  BOOST_TEST(at.place("watched", "loop-bound").has_value());
  BOOST_TEST(nap.get().value() == "mr-coop");
  BOOST_TEST(thread_seen(to) == "mr-loop-0");
}

// It waited for the handler, and then moved what it had said would stay.
BOOST_AUTO_TEST_CASE(gives_up_in_time_while_a_handler_runs_and_stays) {
  std::promise<void> let_go;
  on->let_go = let_go.get_future().share();
  node at({.executor = "work-stealing", .workers = 1});
  at.serve({.topic = "watched"}, watched::described(on).method("hold", &watched::hold));
  at.start().value();
  const client to(at, {.topic = "watched"});
  auto held = to.future_call<std::string>("hold");
  on->parked.get_future().wait();
  BOOST_TEST((at.place("watched", "cooperative", 50ms).error() == errc::expired));
  BOOST_TEST((held.wait_for(0ms) == std::future_status::timeout));
  let_go.set_value();
  BOOST_TEST(begins_with(held.get().value(), "mr-ws-"));
  BOOST_TEST(begins_with(thread_seen(to), "mr-ws-"));
}

// The move was decided before anybody knew whether the new place runs turns: the topic was trapped.
BOOST_AUTO_TEST_CASE(does_not_move_to_an_executor_whose_thread_is_stuck) {
  std::promise<void> let_go;
  on->let_go = let_go.get_future().share();
  node at({.executor = "work-stealing", .watchdog = 20ms});
  at.serve({.topic = "stuck"},
           watched::described(on).method("hold", &watched::hold).placed_on("cooperative"));
  at.serve({.topic = "watched"}, watched::described(on));
  at.start().value();
  auto held = client(at, {.topic = "stuck"}).future_call<std::string>("hold");
  on->parked.get_future().wait();
  const client to(at, {.topic = "watched"});
  const auto undone = at.place("watched", "cooperative", 100ms);
  BOOST_TEST_REQUIRE(!undone.has_value());
  BOOST_TEST((undone.error() == errc::expired));
  BOOST_TEST(
      (undone.error().message().find("executor 'cooperative' runs no turns") != std::string::npos),
      undone.error().message());
  BOOST_TEST(begins_with(thread_seen(to), "mr-ws-"));
  BOOST_TEST(at.place("watched", "loop-bound").has_value());
  BOOST_TEST(thread_seen(to) == "mr-loop-0");
  let_go.set_value();
  BOOST_TEST(held.get().value() == "mr-coop");
  BOOST_TEST(at.place("watched", "cooperative").has_value());
  BOOST_TEST(thread_seen(to) == "mr-coop");
}

BOOST_AUTO_TEST_CASE(gives_fibers_a_worker_that_is_not_stuck) {
  std::promise<void> let_go;
  on->let_go = let_go.get_future().share();
  node at({.executors = {{"heavy", "work-stealing", 2}}, .watchdog = 20ms});
  at.serve({.topic = "stuck"},
           watched::described(on).method("hold", &watched::hold).placed_on("heavy"));
  for (const auto* topic : {"first", "second", "third"}) {
    at.serve({.topic = topic},
             watched::described(on).method("nap_on_fiber", &watched::nap_on_fiber, suspending));
  }
  at.start().value();
  auto held = client(at, {.topic = "stuck"}).future_call<std::string>("hold");
  on->parked.get_future().wait();
  // Until the watchdog has seen that it is stuck, its worker may be chosen, and then they stay.
  for (const auto* topic : {"first", "second", "third"}) {
    BOOST_TEST(eventually([&] { return at.place(topic, "heavy", 50ms).has_value(); }));
    BOOST_TEST(begins_with(thread_seen(client(at, {.topic = topic})), "mr-ws-"));
  }
  let_go.set_value();
  BOOST_TEST(begins_with(held.get().value(), "mr-ws-"));
}

BOOST_AUTO_TEST_CASE(has_nothing_to_do_for_a_topic_that_is_there_already) {
  node at({.executor = "cooperative"});
  at.serve({.topic = "watched"},
           watched::described(on).method("nap_on_fiber", &watched::nap_on_fiber, suspending));
  at.start().value();
  const client to(at, {.topic = "watched"});
  auto nap = to.future_call<std::string>("nap_on_fiber", 200);
  on->parked.get_future().wait();
  BOOST_TEST(at.place("watched", "cooperative", 50ms).has_value());  // Though its fiber is parked.
  BOOST_TEST(nap.get().value() == "mr-coop");
}

// Calls that waited for a fiber to end before the move were refused as if the endpoint were stuck.
BOOST_AUTO_TEST_CASE(lets_later_calls_wait_for_longer_than_an_endpoint_may_be_stuck) {
  node at({.executor = "cooperative", .stuck_after = 50ms});
  at.serve({.topic = "watched"},
           watched::described(on).method("nap_on_fiber", &watched::nap_on_fiber, suspending));
  at.start().value();
  const client to(at, {.topic = "watched"});
  auto nap = to.future_call<std::string>("nap_on_fiber", 1000);
  on->parked.get_future().wait();
  auto moved =
      std::async(std::launch::async, [&] { return at.place("watched", "loop-bound").has_value(); });
  std::vector<std::future<result<std::string>>> later;
  while (nap.wait_for(20ms) == std::future_status::timeout) {
    later.push_back(to.future_call<std::string>("thread"));
  }
  BOOST_TEST(moved.get());
  for (auto& each : later) {
    BOOST_TEST(each.get().has_value());
  }
  BOOST_TEST(thread_seen(to) == "mr-loop-0");
}

BOOST_AUTO_TEST_CASE(spreads_endpoints_with_fibers_over_the_workers_of_each_executor) {
  node at({.executors = {{"heavy", "work-stealing", 2}, {"other", "work-stealing", 2}}});
  const auto serve = [&](const char* topic, const char* executor) {
    at.serve({.topic = topic},
             watched::described(on)
                 .method("nap_on_fiber", &watched::nap_on_fiber, suspending)
                 .placed_on(executor));
  };
  serve("heavy-0", "heavy");
  serve("other-0", "other");
  serve("heavy-1", "heavy");
  serve("other-1", "other");
  at.start().value();
  for (const auto* executor : {"heavy", "other"}) {
    BOOST_TEST(thread_seen(client(at, {.topic = std::string(executor) + "-0"})) == "mr-ws-0");
    BOOST_TEST(thread_seen(client(at, {.topic = std::string(executor) + "-1"})) == "mr-ws-1");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::placement_test
