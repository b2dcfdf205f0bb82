#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <boost/test/unit_test.hpp>
#include <pthread.h>

#include <array>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::tests::instances_test {
// A node whose endpoint has several instances: whatever is done to the topic is done to all.

namespace {

struct office {
  std::atomic<int> hired{0};
  tests::tally held;
  std::atomic<bool> bell{false};
  std::atomic<bool> overlapped{false};
  std::atomic<int> told{0};
  std::mutex mutex;
  std::set<int> told_by;  // Guarded by mutex.
  int most = 100;
};

class clerk {
 public:
  explicit clerk(std::shared_ptr<office> of) : office_(std::move(of)), number_(office_->hired++) {
    if (number_ >= office_->most) {
      throw std::length_error("no desk left");
    }
  }

  std::pair<int, std::string> where(context&) {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return {number_, name.data()};
  }
  /// Whether it is the number after the one before, of this key.
  bool next(context&, std::string key, int number) {
    if (inside_.exchange(true)) {
      office_->overlapped = true;
    }
    const bool good = last_[key] + 1 == number;
    last_[key] = number;
    inside_ = false;
    return good;
  }
  void tell(context&, std::string) {
    {
      const std::lock_guard lock(office_->mutex);
      office_->told_by.insert(number_);
    }
    ++office_->told;
  }
  task<int> hold(context& ctx) {
    office_->held.add();
    while (!office_->bell) {
      co_await ctx.sleep(1ms);
    }
    co_return number_;
  }
  int hold_on_fiber(context& ctx) {
    office_->held.add();
    while (!office_->bell) {
      ctx.sleep(1ms);
    }
    return number_;
  }

  static endpoint_builder<clerk> described(std::shared_ptr<office> of) {
    return endpoint<clerk>(std::move(of))
        .method("where", &clerk::where)
        .method("next", &clerk::next)
        .method("tell", &clerk::tell)
        .method("hold", &clerk::hold)
        .method("hold_on_fiber", &clerk::hold_on_fiber, suspending);
  }

 private:
  std::shared_ptr<office> office_;
  const int number_;
  std::atomic<bool> inside_{false};
  std::map<std::string, int> last_;
};

struct fixture {
  fixture() { log::set_level(log::level::error); }
  std::shared_ptr<office> of = std::make_shared<office>();
};

// Asks until all have answered.
std::map<int, std::string> threads_of(const client& to, std::size_t instances) {
  std::map<int, std::string> seen;
  for (int i = 0; i < 10'000 && seen.size() < instances; ++i) {
    auto [number, thread] = to.call<std::pair<int, std::string>>("where").value();
    seen[number] = std::move(thread);
  }
  BOOST_TEST(seen.size() == instances);
  return seen;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(host_instances, fixture)

BOOST_AUTO_TEST_CASE(are_moved_together) {
  node at({.executor = "work-stealing"});
  at.serve({.topic = "clerks"}, clerk::described(of).instances(3));
  at.start().value();
  const client to(at, {.topic = "clerks"});
  for (const auto& [executor, thread] : std::map<std::string, std::string>{
           {"cooperative", "mr-coop"}, {"loop-bound", "mr-loop-0"}, {"work-stealing", "mr-ws"}}) {
    BOOST_TEST(at.place("clerks", executor).has_value());
    for (const auto& [number, seen] : threads_of(to, 3)) {
      BOOST_TEST(seen.rfind(thread, 0) == 0U, seen);
    }
  }
}

BOOST_AUTO_TEST_CASE(stay_together_when_one_cannot_be_moved) {
  node at({.executor = "cooperative"});
  at.serve({.topic = "clerks"}, clerk::described(of).instances(3));
  at.start().value();
  const client to(at, {.topic = "clerks"});
  auto held = to.future_call<int>("hold_on_fiber");
  BOOST_TEST_REQUIRE(of->held.reaches(1));
  BOOST_TEST((at.place("clerks", "loop-bound", 10ms).error() == errc::expired));
  of->bell = true;
  BOOST_TEST(held.get().has_value());
  // Those that had moved are on their way back.
  BOOST_TEST(at.place("clerks", "cooperative").has_value());
  for (const auto& [number, seen] : threads_of(to, 3)) {
    BOOST_TEST(seen == "mr-coop");
  }
}

BOOST_AUTO_TEST_CASE(keep_the_order_of_each_key_while_they_are_moved) {
  node at({.executor = "work-stealing"});
  at.serve({.topic = "clerks"}, clerk::described(of).instances(3).sharded());
  at.start().value();
  const client to(at, {.topic = "clerks"});
  std::atomic<bool> enough{false};
  std::atomic<int> wrong{0};
  std::thread caller([&] {
    for (int number = 1; !enough; ++number) {
      std::vector<std::future<result<bool>>> out;
      for (int key = 0; key < 50; ++key) {
        out.push_back(to.future_call<bool>("next", "key " + std::to_string(key), number));
      }
      for (auto& each : out) {
        const auto good = each.get();
        wrong += good && *good ? 0 : 1;
      }
    }
  });
  constexpr std::array homes{"cooperative", "loop-bound", "work-stealing"};
  for (int i = 0; i < 60; ++i) {
    BOOST_TEST(at.place("clerks", homes[static_cast<std::size_t>(i) % homes.size()]).has_value());
  }
  enough = true;
  caller.join();
  BOOST_TEST(wrong == 0);
  BOOST_TEST(!of->overlapped);
}

BOOST_AUTO_TEST_CASE(all_finish_what_runs_when_the_node_stops_and_serve_again_when_it_starts) {
  node at({.executor = "work-stealing"});
  at.serve({.topic = "clerks"}, clerk::described(of).instances(3));
  at.start().value();
  const client to(at, {.topic = "clerks"});
  std::vector<std::future<result<int>>> out;
  for (int i = 0; i < 9; ++i) {
    out.push_back(to.future_call<int>("hold"));
  }
  BOOST_TEST_REQUIRE(of->held.reaches(9));
  auto apart = at.run("apart", [](context& ctx) -> task<void> {
    const auto clerks = ctx.client({.topic = "clerks"});
    static_cast<void>(co_await clerks.async_call<int>("hold"));
  });
  BOOST_TEST_REQUIRE(of->held.reaches(10));
  bool refused = false;
  std::thread ringer([&] {
    refused = tests::eventually([&] {
      const auto got = to.call<std::pair<int, std::string>>("where");
      return !got && got.error() == errc::stopping;
    });
    of->bell = true;
  });
  BOOST_TEST(at.stop(1min));
  ringer.join();
  BOOST_TEST(refused);
  std::array<int, 3> answered{};
  for (auto& each : out) {
    ++answered[static_cast<std::size_t>(each.get().value())];
  }
  for (const int each : answered) {
    BOOST_TEST(each > 0);  // Three, if no count changed while it was looked at.
  }
  apart.get();
  at.start().value();
  const client again(at, {.topic = "clerks"});
  BOOST_TEST(threads_of(again, 3).rbegin()->first == 2);
}

BOOST_AUTO_TEST_CASE(are_counted_together_and_told_apart) {
  node server({.listen = "tcp://127.0.0.1:0", .executor = "cooperative"});
  server.serve({.topic = "clerks"}, clerk::described(of).instances(3).sharded());
  server.start().value();
  node desk({.connect = {server.address()}});
  desk.start().value();
  const client to(desk, {.topic = "clerks"});
  for (int i = 1; i <= 30; ++i) {
    BOOST_TEST(to.call<bool>("next", std::to_string(i), 1).value());
  }
  const auto described = desk.admin(server.address(), "describe").value();
  const auto json = wire::json_from_body(described.view()).value();
  for (const char* part : {"\"instances\":3",
                           "\"sharing\":\"by_key\"",
                           "\"load\":[",
                           "\"started\":30",
                           "\"answered\":30"}) {
    BOOST_TEST(json.find(part) != std::string::npos, json);
  }
  const auto executors = desk.admin(server.address(), "executors").value();
  const auto listed = wire::json_from_body(executors.view()).value();
  BOOST_TEST(listed.find("\"endpoints\":3") != std::string::npos, listed);
}

BOOST_AUTO_TEST_CASE(are_as_many_as_the_deployment_says) {
  node at({.executor = "work-stealing", .endpoints = {{"clerks", {.instances = 3}}}});
  at.serve({.topic = "clerks"}, clerk::described(of).instances(1));
  at.start().value();
  BOOST_TEST(of->hired == 3);
  threads_of(client(at, {.topic = "clerks"}), 3);
}

// A class that keeps something would keep a part of it in each.
BOOST_AUTO_TEST_CASE(are_not_more_than_one_unless_the_code_says_that_there_may_be) {
  node at({.endpoints = {{"clerks", {.instances = 3}}}});
  const auto refused = at.serve({.topic = "clerks"}, clerk::described(of));
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error() == errc::invalid_value));
  BOOST_TEST(refused.error().message() ==
             "topic 'clerks' cannot have 3 instances: its code says neither instances(…) nor "
             "sharded(), so it may rely on being alone");
  BOOST_TEST((at.start().error() == errc::invalid_value));
  BOOST_TEST(of->hired == 0);
}

BOOST_AUTO_TEST_CASE(that_nobody_can_have_are_refused_when_the_node_starts) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1025}}) {
    node at({.endpoints = {{"clerks", {.instances = count}}}});
    const auto refused = at.start();
    BOOST_TEST((refused.error() == errc::invalid_value));
    BOOST_TEST(refused.error().message().find("'clerks'") != std::string_view::npos);
  }
}

BOOST_AUTO_TEST_CASE(are_all_reached_by_a_fanout_from_another_process_or_this) {
  node server({.listen = "tcp://127.0.0.1:0", .executor = "work-stealing"});
  server.serve({.topic = "clerks"}, clerk::described(of).instances(3).sharded());
  server.start().value();
  node desk({.connect = {server.address()}});
  desk.start().value();
  for (node* from : {&server, &desk}) {
    const client to(*from, {.topic = "clerks"});
    const auto before = of->told.load();
    BOOST_TEST(to.fanout().cast("tell", "everybody").has_value());
    BOOST_TEST(tests::eventually([&] { return of->told == before + 3; }));
    BOOST_TEST(to.cast("tell", "somebody").has_value());
    BOOST_TEST(tests::eventually([&] { return of->told == before + 4; }));
  }
  BOOST_TEST(of->told_by.size() == 3U);
}

BOOST_AUTO_TEST_CASE(of_which_one_cannot_be_made_are_not_served) {
  of->most = 2;
  node at({});
  const auto refused = at.serve({.topic = "clerks"}, clerk::described(of).instances(3));
  BOOST_TEST((refused.error() == errc::handler_failed));
  BOOST_TEST(refused.error().message().find("no desk left") != std::string_view::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::instances_test
