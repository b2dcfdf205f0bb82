#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mailroom::tests::retries_test {
namespace {

struct shared_state {
  tally started;
  std::deque<async::event> gates = std::deque<async::event>(8);
};

// Answers with the name of its server.
class worker {
 public:
  worker(std::string name, std::shared_ptr<shared_state> with)
      : name_(std::move(name)), with_(std::move(with)) {}

  std::string who(context&) { return name_; }
  task<std::string> hold(context&, std::size_t gate) {
    with_->started.add();
    co_await async::until(with_->gates[gate]);
    co_return name_;
  }
  int throws(context&) { throw std::runtime_error("never mind"); }
  result<int> breaks(context&) { return error(errc::internal, "broken inside"); }

 private:
  std::string name_;
  std::shared_ptr<shared_state> with_;
};

// One server of the topic.
struct server {
  explicit server(const std::string& name, std::size_t queue_limit = 1000)
      : at(name),
        serves(at.serve({.topic = "work"},
                        endpoint<worker>(name, state)
                            .method("who", &worker::who)
                            .method("hold", &worker::hold)
                            .method("hold_again", &worker::hold, idempotent)
                            .method("throws", &worker::throws)
                            .method("breaks", &worker::breaks)
                            .exclusive()
                            .queue_limit(queue_limit))),
        filler("filler-of-" + name) {}
  ~server() { open(); }

  // One call runs, so many wait.
  void fill(int waiting) {
    filler.connect(at);
    const auto by = filler.client({.topic = "work"});
    fillers.push_back(by.future_call<std::string>("hold", 7));
    BOOST_REQUIRE(state->started.reaches(1));
    for (int i = 0; i < waiting; ++i) {
      fillers.push_back(by.future_call<std::string>("hold", 7));
    }
    BOOST_REQUIRE(eventually([&] { return serves.queued() == static_cast<std::size_t>(waiting); }));
  }
  void open() {
    for (auto& each : state->gates) {
      each.complete();
    }
  }

  std::shared_ptr<shared_state> state = std::make_shared<shared_state>();
  site at;
  rpc::activation& serves;
  site filler;
  std::vector<std::future<result<std::string>>> fillers;
};

struct scene {
  mailroom::client client() { return front.client({.topic = "work"}); }
  const rpc::outbound_counters& counts() { return front.connector().counts(); }

  server left{"left", 1};
  server right{"right", 1000};
  site front{"front"};
};

struct both : scene {
  both() {
    front.connect(left.at);
    front.connect(right.at);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_retries)

BOOST_FIXTURE_TEST_CASE(a_call_that_is_refused_is_tried_on_another_server, both) {
  left.fill(1);
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(client().call<std::string>("who").value() == "right");
  }
  BOOST_TEST(counts().retried.load() == 10U);
  BOOST_TEST(counts().refused.load() == 10U);
}

BOOST_FIXTURE_TEST_CASE(what_the_only_server_refuses_is_told_at_once, scene) {
  front.connect(left.at);
  left.fill(1);
  const auto got = client().prepare({.wait_for_ready = true}).call<std::string>("who");
  BOOST_TEST((got.error() == errc::busy));
  BOOST_TEST(got.error().retry_after().count() > 0);
  BOOST_TEST(counts().retried.load() == 0U);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_tried_again_by_who_does_not_want_it, both) {
  left.fill(1);
  int refused = 0;
  for (int i = 0; i < 10; ++i) {
    refused += client().prepare({.retries = 0}).call<std::string>("who") ? 0 : 1;
  }
  BOOST_TEST(refused == 5);
  BOOST_TEST(counts().retried.load() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_named_server_is_called_or_none, both) {
  left.fill(1);
  const auto got = client().prepare({.server = "left"}).call<std::string>("who");
  BOOST_TEST((got.error() == errc::busy));
  BOOST_TEST(client().prepare({.server = "right"}).call<std::string>("who").value() == "right");
}

BOOST_AUTO_TEST_CASE(when_all_are_full_three_are_asked_and_then_it_is_told) {
  std::deque<server> all;
  site front("front");
  for (int i = 0; i < 5; ++i) {
    all.emplace_back("server-" + std::to_string(i), 1);
    all.back().fill(1);
    front.connect(all.back().at);
  }
  const auto got = front.client({.topic = "work"}).call<std::string>("who");
  BOOST_TEST((got.error() == errc::busy));
  std::uint64_t asked = 0;
  for (const auto& each : all) {
    BOOST_TEST(each.serves.counts().refused.load() <= 1U);
    asked += each.serves.counts().refused.load();
  }
  BOOST_TEST(asked == 3U);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_drains_fails_no_call, both) {
  left.at.server().stop_accepting();
  for (int i = 0; i < 200; ++i) {
    BOOST_REQUIRE(client().call<std::string>("who").value() == "right");
  }
}

// Refusals of a draining server are no sign of too much load: no budget bounds them.
BOOST_FIXTURE_TEST_CASE(nor_do_many_at_once, both) {
  left.at.server().stop_accepting();
  std::vector<std::future<result<std::string>>> out;
  for (int i = 0; i < 900; ++i) {
    out.push_back(client().future_call<std::string>("who"));
  }
  for (auto& each : out) {
    BOOST_REQUIRE(each.get().value() == "right");
  }
}

BOOST_FIXTURE_TEST_CASE(a_storm_of_refusals_is_not_doubled, both) {
  left.fill(1);
  std::vector<std::future<result<std::string>>> out;
  for (int i = 0; i < 1000; ++i) {
    out.push_back(client().future_call<std::string>("who"));
  }
  int refused = 0;
  for (auto& each : out) {
    const auto got = each.get();
    BOOST_TEST((got || got.error() == errc::busy));
    refused += got ? 0 : 1;
  }
  BOOST_TEST(refused + static_cast<int>(counts().retried.load()) == 500);
  BOOST_TEST(counts().retried.load() < 100U);
}

BOOST_FIXTURE_TEST_CASE(the_only_server_drains_and_who_waits_gets_the_next, scene) {
  front.connect(left.at);
  left.at.server().stop_accepting();
  const auto at_once = client().call<std::string>("who");
  BOOST_TEST((at_once.error() == errc::stopping));
  BOOST_TEST((at_once.error().execution() == execution::not_run));
  auto waits = client().prepare({.wait_for_ready = true}).future_call<std::string>("who");
  BOOST_REQUIRE(eventually([&] { return counts().retried.load() == 1U; }));
  front.connect(right.at);
  BOOST_TEST(waits.get().value() == "right");
}

BOOST_FIXTURE_TEST_CASE(what_may_have_run_is_lost, both) {
  auto out = client().prepare({.server = "left"}).future_call<std::string>("hold", 0);
  BOOST_REQUIRE(left.state->started.reaches(1));
  front.cut(left.at);
  const auto got = out.get();
  BOOST_TEST((got.error() == errc::lost));
  BOOST_TEST((got.error().execution() == execution::may_have_run));
  BOOST_TEST(counts().retried.load() == 0U);
}

BOOST_FIXTURE_TEST_CASE(unless_it_may_run_twice, both) {
  const auto twice = client().prepare({.idempotent = true});
  auto one = twice.future_call<std::string>("hold", 0);
  auto other = twice.future_call<std::string>("hold", 0);
  BOOST_REQUIRE(left.state->started.reaches(1));
  BOOST_REQUIRE(right.state->started.reaches(1));
  right.open();
  front.cut(left.at);
  BOOST_TEST(one.get().value() == "right");
  BOOST_TEST(other.get().value() == "right");
  BOOST_TEST(counts().retried.load() == 1U);
}

// The first attempt still runs when the second comes: it runs once, and is answered.
BOOST_FIXTURE_TEST_CASE(a_server_that_comes_back_knows_what_it_runs, scene) {
  front.connect(left.at);
  auto out = client().prepare({.idempotent = true}).future_call<std::string>("hold", 0);
  BOOST_REQUIRE(left.state->started.reaches(1));
  front.cut(left.at);
  front.connect(left.at);
  BOOST_REQUIRE(eventually([&] { return left.at.server().counts().duplicate.load() == 1U; }));
  left.open();
  BOOST_TEST(out.get().value() == "left");
  BOOST_TEST(left.state->started.value() == 1);
}

BOOST_FIXTURE_TEST_CASE(what_a_method_is_declared_as_its_clients_learn, scene) {
  front.connect(left.at);
  left.state->gates[1].complete();
  BOOST_REQUIRE(client().call<std::string>("hold_again", 1).has_value());
  auto out = client().future_call<std::string>("hold_again", 0);
  BOOST_REQUIRE(left.state->started.reaches(2));
  front.cut(left.at);
  front.connect(left.at);
  left.open();
  BOOST_TEST(out.get().value() == "left");
  BOOST_TEST(left.state->started.value() == 2);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_stays_away_is_lost_all_the_same, scene) {
  front.connect(left.at);
  auto out = client().prepare({.idempotent = true}).future_call<std::string>("hold", 0);
  BOOST_REQUIRE(left.state->started.reaches(1));
  front.cut(left.at);
  const auto got = out.get();
  BOOST_TEST((got.error() == errc::lost));
  BOOST_TEST((got.error().execution() == execution::may_have_run));
}

// It lies in our own buffers still: nobody has seen it.
BOOST_FIXTURE_TEST_CASE(what_was_never_sent_goes_elsewhere, scene) {
  fake_transport nowhere;
  rpc::connector::session_info stuck;
  stuck.address = "control://stuck";
  stuck.node = "stuck";
  stuck.data = {"fake://stuck"};
  stuck.topics = right.at.dispatcher().topics();
  front.on_loop([&] {
    front.connector().open_session(nowhere, stuck, {});
    auto& link = *nowhere.links.front();
    link.attach();
    link.link.stuck = true;
  });
  auto alone = client().future_call<std::string>("who");
  BOOST_REQUIRE(eventually([&] { return counts().out.load() == 1U; }));
  front.connect(right.at);
  auto out = client().prepare({.server = "stuck"}).future_call<std::string>("who");
  BOOST_REQUIRE(eventually([&] { return counts().out.load() == 2U; }));
  front.on_loop([&] { front.connector().close_session(stuck.address, error(errc::lost, "gone")); });
  BOOST_TEST(alone.get().value() == "right");
  const auto got = out.get();
  BOOST_TEST((got.error() == errc::lost));
  BOOST_TEST((got.error().execution() == execution::not_run));
}

// ---------------------------------------------------------------- duplicates at the server

BOOST_AUTO_TEST_CASE(a_key_that_was_answered_is_answered_alike_by_whatever_connection) {
  server only("only");
  const auto ask = [&](fake_peer& by, std::uint64_t id, std::uint8_t key) {
    by.attach();
    by.declare(0, "work", "hold");
    wire::batch calls(wire::plane::data);
    wire::call_head head;
    head.id = id;
    std::byte* to = calls.begin(wire::kind::call, wire::call_head::size_with_key);
    head.write(to);
    std::fill_n(to + wire::call_head::size, 16, std::byte{key});
    wire::pack_arguments(calls.bytes(), 0);
    calls.finish();
    by.feed(calls.take());
  };
  fake_peer first(only.at);
  fake_peer second(only.at);
  fake_peer third(only.at);
  fake_peer other(only.at);
  ask(first, 1, 5);
  BOOST_REQUIRE(only.state->started.reaches(1));
  ask(second, 2, 5);
  BOOST_REQUIRE(eventually([&] { return only.at.server().counts().duplicate.load() == 1U; }));
  only.open();
  BOOST_TEST(eventually([&] { return first.replies() == 1 && second.replies() == 1; }));
  ask(third, 3, 5);
  BOOST_TEST(eventually([&] { return third.replies() == 1; }));
  BOOST_TEST(only.state->started.value() == 1);
  ask(other, 4, 6);
  BOOST_TEST(eventually([&] { return other.replies() == 1; }));
  BOOST_TEST(only.state->started.value() == 2);
  BOOST_TEST(only.at.server().counts().duplicate.load() == 2U);
}

// ---------------------------------------------------------------- servers in trouble

BOOST_FIXTURE_TEST_CASE(a_server_that_breaks_is_passed_over_and_gets_its_share_back, both) {
  int broken = 0;
  for (int i = 0; i < 10; ++i) {
    broken += client().prepare({.server = "left"}).call<int>("breaks") ? 0 : 1;
  }
  BOOST_TEST(broken == 10);
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(client().call<std::string>("who").value() == "right");
  }
  // Whom somebody asks for by name is not passed over.
  BOOST_TEST(client().prepare({.server = "left"}).call<std::string>("who").value() == "left");
  BOOST_TEST(eventually([&] { return client().call<std::string>("who").value() == "left"; }));
  int left_again = 0;
  for (int i = 0; i < 10; ++i) {
    left_again += client().call<std::string>("who").value() == "left" ? 1 : 0;
  }
  BOOST_TEST(left_again == 5);
}

BOOST_FIXTURE_TEST_CASE(one_whose_handlers_throw_is_not, both) {
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(
        (client().prepare({.server = "left"}).call<int>("throws").error() == errc::handler_failed));
  }
  BOOST_TEST(client().call<std::string>("who").value() !=
             client().call<std::string>("who").value());
}

// If most of them are in trouble, the trouble is not theirs.
BOOST_FIXTURE_TEST_CASE(at_most_half_of_them_are_passed_over, both) {
  for (const char* each : {"left", "right"}) {
    for (int i = 0; i < 10; ++i) {
      client().prepare({.server = each}).call<int>("breaks").has_value();
    }
  }
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(client().call<std::string>("who").has_value());
  }
}

// ---------------------------------------------------------------- balancing

BOOST_FIXTURE_TEST_CASE(equal_keys_go_to_the_same_server_and_different_ones_to_both, both) {
  int left_ones = 0;
  for (int i = 0; i < 40; ++i) {
    const auto key = "customer " + std::to_string(i);
    const auto to = client().prepare({.key = key});
    const auto first = to.call<std::string>("who").value();
    BOOST_TEST(to.call<std::string>("who").value() == first);
    left_ones += first == "left" ? 1 : 0;
  }
  BOOST_TEST(left_ones > 5);
  BOOST_TEST(left_ones < 35);
}

BOOST_FIXTURE_TEST_CASE(each_server_gets_its_share_by_weight, scene) {
  front.connect(left.at, 65'536, {.weight = 100});
  front.connect(right.at, 65'536, {.weight = 300});
  int left_ones = 0;
  for (int i = 0; i < 40; ++i) {
    left_ones += client().call<std::string>("who").value() == "left" ? 1 : 0;
  }
  BOOST_TEST(left_ones == 10);
}

BOOST_FIXTURE_TEST_CASE(a_server_without_weight_gets_what_nobody_else_can_take, scene) {
  front.connect(left.at, 65'536, {.weight = 0});
  BOOST_TEST(client().call<std::string>("who").value() == "left");
  front.connect(right.at);
  for (const auto how : {balance::round_robin, balance::least_in_flight}) {
    for (int i = 0; i < 20; ++i) {
      BOOST_TEST(client().prepare({.balance = how}).call<std::string>("who").value() == "right");
    }
  }
  for (int i = 0; i < 20; ++i) {
    const auto key = std::to_string(i);
    BOOST_TEST(client().prepare({.key = key}).call<std::string>("who").value() == "right");
  }
  BOOST_TEST(client().prepare({.server = "left"}).call<std::string>("who").value() == "left");
}

BOOST_FIXTURE_TEST_CASE(a_slow_server_gets_less_from_who_looks_at_what_is_out, both) {
  const auto even = client().prepare({.balance = balance::least_in_flight});
  std::vector<std::future<result<std::string>>> slow;
  for (int i = 0; i < 2; ++i) {
    slow.push_back(client().prepare({.server = "left"}).future_call<std::string>("hold", 0));
  }
  BOOST_REQUIRE(left.state->started.reaches(1));
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(even.call<std::string>("who").value() == "right");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::retries_test
