#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/wait_for.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace mailroom::tests::cancel_test {
namespace {

// What handlers share with the test; they run on other threads.
struct shared_state {
  tally started;
  tally told;  // By a stop token.
  tally ended;
  std::deque<async::event> gates = std::deque<async::event>(8);
};

class holder {
 public:
  explicit holder(std::shared_ptr<shared_state> with) : with_(std::move(with)) {}

  // Heeds its token from the start.
  task<int> hold(context& ctx, std::size_t gate) {
    const std::stop_callback told(ctx.stop_token(), [this] { with_->told.add(); });
    with_->started.add();
    co_await async::until(with_->gates[gate]);
    with_->ended.add();
    co_return 1;
  }
  // Asks for it when it goes on.
  task<bool> ask_late(context& ctx, std::size_t gate) {
    with_->started.add();
    co_await async::until(with_->gates[gate]);
    if (ctx.stop_token().stop_requested()) {
      with_->told.add();
    }
    with_->ended.add();
    co_return true;
  }
  int block(context& ctx) {
    with_->started.add();
    if (eventually([&] { return ctx.stop_token().stop_requested(); })) {
      with_->told.add();
    }
    with_->ended.add();
    return 1;
  }
  void note(context&) { with_->ended.add(); }

  static auto described(std::shared_ptr<shared_state> with) {
    return endpoint<holder>(std::move(with))
        .method("hold", &holder::hold)
        .method("ask_late", &holder::ask_late)
        .method("block", &holder::block, blocking)
        .method("note", &holder::note);
  }

 private:
  std::shared_ptr<shared_state> with_;
};

// Calls a holder from a handler.
class asker {
 public:
  explicit asker(std::shared_ptr<shared_state> with) : with_(std::move(with)) {}

  // 0: as long as it takes.
  task<std::string> ask(context& ctx, std::size_t gate, int milliseconds) {
    const auto to = ctx.client({.topic = "holder"});
    auto out = to.async_call<int>("hold", gate);
    if (milliseconds != 0) {
      const auto got = co_await wait_for(std::move(out), std::chrono::milliseconds(milliseconds));
      co_return got ? "answered" : std::string(to_string(got.error().code()));
    }
    const auto got = co_await out;
    co_return got ? "answered" : std::string(to_string(got.error().code()));
  }
  // Stops to wait when its own caller does.
  task<std::string> pass_on(context& ctx, std::size_t gate) {
    const auto to = ctx.client({.topic = "holder"});
    auto out = to.async_call<int>("hold", gate);
    const auto got = co_await wait_for(std::move(out), ctx.stop_token());
    co_return got ? "answered" : std::string(to_string(got.error().code()));
  }
  std::string ask_on_fiber(context& ctx, std::size_t gate) {
    const auto got = ctx.client({.topic = "holder"}).call<int>("hold", gate);
    return got ? "answered" : std::string(to_string(got.error().code()));
  }

  static auto described(std::shared_ptr<shared_state> with) {
    return endpoint<asker>(std::move(with))
        .method("ask", &asker::ask)
        .method("pass_on", &asker::pass_on)
        .method("ask_on_fiber", &asker::ask_on_fiber, suspending);
  }

 private:
  std::shared_ptr<shared_state> with_;
};

struct scene {
  explicit scene(std::string_view policy = "loop-bound", bool exclusive = false)
      : nodes(policy),
        at(exclusive ? nodes.back.serve({.topic = "holder"}, holder::described(state).exclusive())
                     : nodes.back.serve({.topic = "holder"}, holder::described(state))) {
    nodes.connect();
  }
  ~scene() {
    for (auto& each : state->gates) {
      each.complete();
    }
  }
  mailroom::client client() { return nodes.client({.topic = "holder"}); }
  const rpc::outbound_counters& counts() { return nodes.front.connector().counts(); }

  std::shared_ptr<shared_state> state = std::make_shared<shared_state>();
  pair nodes;
  rpc::activation& at;
};

void on_every_executor(const std::function<void(scene&)>& test) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      scene s(policy);
      test(s);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_cancel)

BOOST_AUTO_TEST_CASE(a_call_that_is_dropped_stops_the_token_of_its_handler) {
  on_every_executor([](scene& s) {
    {
      const auto out = s.client().async_call<int>("hold", 0);
      BOOST_REQUIRE(s.state->started.reaches(1));
      BOOST_TEST(s.state->told.value() == 0);
    }
    BOOST_TEST(s.state->told.reaches(1));
    BOOST_TEST(s.counts().cancelled.load() == 1U);
    // Its answer comes too late, and is counted.
    s.state->gates[0].complete();
    BOOST_TEST(eventually([&] { return s.counts().late.load() == 1U; }));
    BOOST_TEST(s.counts().out.load() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_call_that_waits_is_dropped_and_never_runs) {
  scene s("loop-bound", true);
  const auto first = s.client().async_call<int>("hold", 0);
  BOOST_REQUIRE(s.state->started.reaches(1));
  {
    const auto second = s.client().async_call<int>("hold", 1);
    BOOST_REQUIRE(eventually([&] { return s.at.queued() == 1; }));
  }
  BOOST_TEST(eventually([&] { return s.at.queued() == 0; }));
  BOOST_TEST(s.at.counts().cancelled.load() == 1U);
  s.state->gates[0].complete();
  BOOST_TEST(s.client().call<void>("note").has_value());
  BOOST_TEST(s.state->started.value() == 1);
  BOOST_TEST(s.counts().late.load() == 1U);
}

BOOST_AUTO_TEST_CASE(a_call_goes_on_while_a_copy_of_it_is_kept) {
  scene s;
  std::optional<call_operation<int>> kept;
  {
    const auto out = s.client().async_call<int>("hold", 0);
    kept.emplace(out);
    BOOST_REQUIRE(s.state->started.reaches(1));
  }
  s.state->gates[0].complete();
  BOOST_TEST(eventually([&] { return s.counts().answered.load() == 1U; }));
  BOOST_TEST(s.state->told.value() == 0);
  BOOST_TEST(s.counts().late.load() == 0U);
}

BOOST_AUTO_TEST_CASE(a_future_that_is_dropped_gives_nothing_up) {
  scene s;
  { auto dropped = s.client().future_call<int>("hold", 0); }
  BOOST_REQUIRE(s.state->started.reaches(1));
  s.state->gates[0].complete();
  BOOST_TEST(s.state->ended.reaches(1));
  BOOST_TEST(eventually([&] { return s.counts().answered.load() == 1U; }));
  BOOST_TEST(s.state->told.value() == 0);
}

BOOST_AUTO_TEST_CASE(a_handler_that_has_waited_long_enough_gives_its_call_up) {
  on_every_executor([](scene& s) {
    s.nodes.back.serve({.topic = "asker"}, asker::described(s.state));
    s.nodes.front.cut(s.nodes.back);
    s.nodes.back.cut(s.nodes.back);
    s.nodes.connect();
    const auto to = s.nodes.client({.topic = "asker"});
    BOOST_TEST(to.call<std::string>("ask", 0, 20).value() == "expired");
    BOOST_TEST(s.state->told.reaches(1));
  });
}

// From the first caller over the second to the last handler.
BOOST_AUTO_TEST_CASE(giving_up_is_passed_on_by_who_waits_for_his_stop_token) {
  on_every_executor([](scene& s) {
    s.nodes.back.serve({.topic = "asker"}, asker::described(s.state));
    s.nodes.front.cut(s.nodes.back);
    s.nodes.back.cut(s.nodes.back);
    s.nodes.connect();
    {
      const auto out = s.nodes.client({.topic = "asker"}).async_call<std::string>("pass_on", 0);
      BOOST_REQUIRE(s.state->started.reaches(1));
    }
    BOOST_TEST(s.state->told.reaches(1));
  });
}

BOOST_AUTO_TEST_CASE(a_handler_that_is_ended_gives_up_what_it_waits_for) {
  for (const char* method : {"ask", "ask_on_fiber"}) {
    BOOST_TEST_CONTEXT(method) {
      scene s;
      site middle("middle");
      auto& asking = middle.serve({.topic = "asker"}, asker::described(s.state));
      middle.connect(s.nodes.back);
      s.nodes.front.connect(middle);
      const auto to = s.nodes.client({.topic = "asker"});
      auto out = std::string_view(method) == "ask" ? to.future_call<std::string>(method, 0, 0)
                                                   : to.future_call<std::string>(method, 0);
      BOOST_REQUIRE(s.state->started.reaches(1));
      asking.end();
      BOOST_TEST(s.state->told.reaches(1));
      BOOST_TEST((out.get().error() == errc::cancelled));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_handler_that_asks_late_finds_its_token_stopped) {
  scene s;
  {
    const auto out = s.client().async_call<bool>("ask_late", 0);
    BOOST_REQUIRE(s.state->started.reaches(1));
  }
  BOOST_REQUIRE(eventually([&] { return s.counts().cancelled.load() == 1U; }));
  // What was told before on the same way has arrived.
  BOOST_REQUIRE(s.client().call<void>("note").has_value());
  s.nodes.back.on_loop([] {});
  s.state->gates[0].complete();
  BOOST_TEST(s.state->ended.reaches(2));
  BOOST_TEST(s.state->told.value() == 1);
}

BOOST_AUTO_TEST_CASE(a_blocking_handler_sees_it_while_it_runs) {
  scene s;
  {
    const auto out = s.client().async_call<int>("block");
    BOOST_REQUIRE(s.state->started.reaches(1));
  }
  BOOST_TEST(s.state->ended.reaches(1));
  BOOST_TEST(s.state->told.value() == 1);
}

BOOST_AUTO_TEST_CASE(a_caller_that_has_gone_waits_for_nothing_but_its_casts_count) {
  scene s("loop-bound", true);
  const auto running = s.client().future_call<int>("hold", 0);
  BOOST_REQUIRE(s.state->started.reaches(1));
  const auto waiting = s.client().future_call<int>("hold", 1);
  BOOST_TEST(s.client().cast("note").has_value());
  BOOST_REQUIRE(eventually([&] { return s.at.queued() == 2; }));
  s.nodes.front.cut(s.nodes.back);
  BOOST_TEST(s.state->told.reaches(1));
  BOOST_TEST(eventually([&] { return s.at.counts().cancelled.load() == 1U; }));
  s.state->gates[0].complete();
  BOOST_TEST(s.state->ended.reaches(2));
  BOOST_TEST(s.state->started.value() == 1);
}

BOOST_AUTO_TEST_CASE(a_call_that_was_given_up_before_it_came_does_not_run) {
  site back("back");
  const auto state = std::make_shared<shared_state>();
  auto& at = back.serve({.topic = "holder"}, holder::described(state));
  fake_peer peer(back);
  const auto session = back.open_session("fake peer");
  peer.attach(session);
  peer.declare(0, "holder", "note");
  back.on_loop([&] {
    const wire::cancel early{7, 0, 0};
    back.server().cancel(session, std::span(&early, 1));
  });
  wire::batch calls(wire::plane::data);
  for (const std::uint64_t id : {std::uint64_t{7}, std::uint64_t{8}}) {
    wire::call_head head;
    head.id = id;
    head.write(calls.begin(wire::kind::call, wire::call_head::size));
    wire::pack_arguments(calls.bytes());
    calls.finish();
  }
  peer.feed(calls.take());
  BOOST_REQUIRE(eventually([&] { return peer.replies() == 1; }));
  const auto failures = peer.failures();
  BOOST_REQUIRE(failures.size() == 1U);
  BOOST_TEST(failures.front().id == 7U);
  BOOST_TEST((failures.front().why == errc::cancelled));
  BOOST_TEST((failures.front().why.execution() == execution::not_run));
  BOOST_TEST(back.server().counts().cancelled.load() == 1U);
  BOOST_TEST(at.counts().started.load() == 1U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_cancelled_without_harm) {
  site back("back");
  const auto state = std::make_shared<shared_state>();
  back.serve({.topic = "holder"}, holder::described(state));
  fake_peer peer(back);
  const auto session = back.open_session("fake peer");
  peer.attach(session);
  back.on_loop([&] {
    const std::array<wire::cancel, 3> odd{
        wire::cancel{0, 0, 0}, wire::cancel{1, 7, 9}, wire::cancel{1, 0, 0xffffffffU}};
    back.server().cancel(session, odd);
    back.server().cancel({}, odd);
  });
  BOOST_TEST(!peer.closed());
}

// A caller whose calls wait behind very many others gives them up one by one: the queue is searched
// now and then, not for each.
BOOST_AUTO_TEST_CASE(a_long_queue_is_not_searched_for_every_call) {
  rpc::given_up_calls calls;
  site any("any");
  const ref<rpc::caller> by = make_ref<rpc::caller>(any.loop(), rpc::caller::limits{});
  std::size_t steps = 0;
  constexpr std::size_t queued = 65'536;
  for (std::uint64_t id = 1; id <= queued; ++id) {
    calls.add(by, id);
    if (calls.worth_a_search(queued)) {
      steps += queued;
      calls.searched(1);
    }
  }
  BOOST_TEST(steps <= queued * 65);
  BOOST_TEST(!calls.contains(*by, 1));
}

BOOST_AUTO_TEST_CASE(a_call_is_forgotten_when_it_is_taken_or_nothing_runs) {
  rpc::given_up_calls calls;
  site any("any");
  const ref<rpc::caller> by = make_ref<rpc::caller>(any.loop(), rpc::caller::limits{});
  calls.add(by, 1);
  calls.add(by, 2);
  BOOST_TEST(calls.take(*by, 1));
  BOOST_TEST(!calls.take(*by, 1));
  BOOST_TEST(calls.contains(*by, 2));
  calls.searched(1);
  BOOST_TEST(calls.contains(*by, 2));
  calls.searched(0);
  BOOST_TEST(calls.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::cancel_test
