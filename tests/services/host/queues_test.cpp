#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::tests::queues_test {
// Queues of a node's endpoints: what bounds them, and what is told of what became of the calls.

using tests::eventually;

namespace {

struct papers {
  std::atomic<int> held{0};
  std::atomic<bool> free{false};
  std::atomic<int> started{0};
};

class desk {
 public:
  explicit desk(std::shared_ptr<papers> with) : with_(std::move(with)) {}

  task<void> hold(context& ctx) {
    ++with_->held;
    while (!with_->free) {
      co_await ctx.sleep(1ms);
    }
  }
  int note(context&, int number) {
    if (number < 0) {
      throw std::invalid_argument("less than nothing");
    }
    return number;
  }
  void work(context&) {
    ++with_->started;
    std::this_thread::sleep_for(5ms);
  }
  task<int> note_slowly(context& ctx, int number) {
    co_await ctx.sleep(1ms);
    co_return number;
  }

  static endpoint_builder<desk> described(std::shared_ptr<papers> with) {
    return endpoint<desk>(std::move(with))
        .method("hold", &desk::hold)
        .method("note", &desk::note)
        .method("work", &desk::work)
        .method("note_slowly", &desk::note_slowly)
        .exclusive();
  }

 private:
  std::shared_ptr<papers> with_;
};

struct fixture {
  fixture() { log::set_level(log::level::error); }
  std::shared_ptr<papers> with = std::make_shared<papers>();
};

struct topic_state {
  std::string topic;
  std::uint64_t queued = 0;
  std::uint64_t running = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t expired = 0;
  std::uint64_t refused = 0;
  std::uint64_t dropped = 0;
  std::uint64_t queue_limit = 0;
  std::string queue_policy;

  std::uint64_t ended() const { return answered + failed + expired + refused + dropped; }

  MSGPACK_DEFINE_MAP(topic,
                     queued,
                     running,
                     answered,
                     failed,
                     expired,
                     refused,
                     dropped,
                     queue_limit,
                     queue_policy)
};

struct description {
  std::vector<topic_state> topics;
  MSGPACK_DEFINE_MAP(topics)
};

struct received {
  std::uint64_t calls_received = 0;
  std::uint64_t casts_received = 0;
  std::uint64_t refused = 0;
  std::uint64_t expired_on_arrival = 0;
  MSGPACK_DEFINE_MAP(calls_received, casts_received, refused, expired_on_arrival)
};

topic_state state_of(node& asking, const std::string& address, const std::string& topic) {
  const auto told = asking.admin(address, "describe").value();
  const auto all = wire::unpack<description>(told.view()).value();
  for (const auto& each : all.topics) {
    if (each.topic == topic) {
      return each;
    }
  }
  BOOST_FAIL("nothing is told of " << topic);
  return {};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(host_queues, fixture)

BOOST_AUTO_TEST_CASE(are_bounded_as_the_deployment_says) {
  node at({.listen = "local://queues",
           .connect = {"local://queues"},
           .endpoints = {{"desk", {.queue_limit = 2, .queue_policy = queue_policy::drop_oldest}}}});
  at.serve({.topic = "desk"}, desk::described(with).queue_limit(1000));
  at.serve({.topic = "other"}, desk::described(with).queue_limit(1000, queue_policy::by_priority));
  at.start().value();
  const client to(at, {.topic = "desk"});
  auto running = to.future_call<void>("hold");
  BOOST_TEST_REQUIRE(eventually([&] { return with->held == 1; }));
  std::vector<std::future<result<int>>> out;
  for (int i = 0; i < 3; ++i) {
    out.push_back(to.future_call<int>("note", i));
  }
  BOOST_TEST((out.front().get().error() == errc::busy));
  with->free = true;
  BOOST_TEST(running.get().has_value());
  BOOST_TEST(out[1].get().value() == 1);
  BOOST_TEST(out[2].get().value() == 2);
  const auto desk = state_of(at, at.address(), "desk");
  BOOST_TEST(desk.queue_limit == 2U);
  BOOST_TEST(desk.queue_policy == "drop_oldest");
  BOOST_TEST(desk.dropped == 1U);
  BOOST_TEST(desk.answered == 3U);
  const auto other = state_of(at, at.address(), "other");
  BOOST_TEST(other.queue_limit == 1000U);
  BOOST_TEST(other.queue_policy == "by_priority");
  BOOST_TEST(other.ended() == 0U);
}

BOOST_AUTO_TEST_CASE(of_no_calls_are_refused_when_the_node_starts) {
  node at({.endpoints = {{"desk", {.queue_limit = 0}}}});
  const auto refused = at.start();
  BOOST_TEST((refused.error() == errc::invalid_value));
  BOOST_TEST(refused.error().message().find("'desk'") != std::string_view::npos);
}

// A caller's books and those of the server agree, whatever became of the calls.
BOOST_AUTO_TEST_CASE(lose_no_call_out_of_their_counts) {
  for (const auto executor : executors::policies()) {
    for (const auto policy : queue_policies) {
      BOOST_TEST_CONTEXT(executor << ", " << to_string(policy)) {
        node server({.listen = "tcp://127.0.0.1:0", .executor = std::string(executor)});
        server.serve({.topic = "desk"}, desk::described(with).queue_limit(50, policy));
        server.start().value();
        node front({.connect = {server.address()}});
        front.start().value();
        const client to(front, {.topic = "desk"});
        std::vector<std::future<result<int>>> out;
        std::uint64_t told = 0;
        for (int i = 0; i < 3000; ++i) {
          const auto priority = static_cast<std::uint8_t>(i % 8);
          const auto each = to.prepare({.timeout = i % 5 == 0 ? 2ms : 60s, .priority = priority});
          if (i % 7 == 0) {
            told += each.cast("note", i).has_value() ? 1U : 0U;
          } else if (i % 11 == 0) {
            out.push_back(each.future_call<int>("note", -1));
          } else if (i % 13 == 0) {
            out.push_back(each.future_call<int>("note", "no number"));
          } else {
            out.push_back(each.future_call<int>(i % 17 == 0 ? "note_slowly" : "note", i));
          }
        }
        std::map<errc, std::uint64_t> seen;
        std::uint64_t answered = 0;
        for (auto& each : out) {
          const auto got = each.get();
          if (got) {
            ++answered;
          } else {
            ++seen[got.error().code()];
          }
        }
        received all;
        topic_state desk;
        // What callers gave up is still being served.
        BOOST_TEST(eventually([&] {
          all =
              wire::unpack<received>(front.admin(server.address(), "stats").value().view()).value();
          desk = state_of(front, server.address(), "desk");
          return desk.queued == 0 && desk.running == 0 && all.casts_received == told;
        }));
        // Those whose deadline had passed before they could be sent were not.
        BOOST_TEST(all.calls_received <= out.size());
        BOOST_TEST(all.calls_received + seen[errc::expired] >= out.size());
        // What has expired when it arrives is refused there.
        BOOST_TEST(all.refused == all.expired_on_arrival);
        BOOST_TEST(desk.ended() + all.refused == all.calls_received + told);
        BOOST_TEST(desk.answered >= answered);
        BOOST_TEST(desk.refused + desk.dropped >= seen[errc::busy]);
        BOOST_TEST(desk.failed >= seen[errc::handler_failed] + seen[errc::invalid_arguments]);
      }
    }
  }
}

// Each was started just before its deadline and answered just after it: all of the work was for
// nothing.
BOOST_AUTO_TEST_CASE(are_worked_off_in_time_as_far_as_it_goes_when_far_too_much_comes) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto seen = std::make_shared<papers>();
      node at({.executor = std::string(policy)});
      at.serve({.topic = "desk"}, desk::described(seen)).value();
      at.start().value();
      const client to = client(at, {.topic = "desk"}).prepare({.timeout = 100ms});
      std::vector<std::future<result<void>>> out;
      for (const auto end = clock::now() + 1s; clock::now() < end;) {
        for (int i = 0; i < 2; ++i) {
          out.push_back(to.future_call<void>("work"));
        }
        std::this_thread::sleep_for(1ms);
      }
      int in_time = 0;
      for (auto& each : out) {
        in_time += each.get().has_value() ? 1 : 0;
      }
      BOOST_TEST(seen->started > 20);
      BOOST_TEST(in_time * 10 >= seen->started * 7,
                 in_time << " of " << seen->started << " in time");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::queues_test
