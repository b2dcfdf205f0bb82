#include <mailroom/tests/faults/raw_peer.hpp>
#include <mailroom/tests/faults/scene.hpp>

#include <mailroom/framework/wire/body.hpp>

#include <signal.h>

#include <algorithm>
#include <future>

using namespace mailroom;
using namespace mailroom::tests;

namespace {

constexpr int many = 1000;

std::vector<std::future<result<said>>> call_and_reach_gate(other_process& server,
                                                           caller_node& caller) {
  std::vector<std::future<result<said>>> out;
  const auto probes = caller.probes().prepare({.timeout = 1h});
  for (int i = 0; i < many; ++i) {
    out.push_back(probes.future_call<said>("wait_at_gate"));
  }
  BOOST_REQUIRE(eventually([&] { return server.count("gate_reached") == many; }));
  return out;
}

// How long until the last of them has ended, each with `lost`, from `since`.
duration all_lost(std::vector<std::future<result<said>>>& out, time_point since) {
  for (auto& each : out) {
    const auto got = each.get();
    BOOST_REQUIRE(!got);
    BOOST_REQUIRE(code_of(got) == "lost");
    BOOST_REQUIRE(got.error().execution() == execution::may_have_run);
  }
  return clock::now() - since;
}

std::size_t private_mebibytes(const process& of) {
  return of.figures().private_bytes >> 20U;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faults)
BOOST_AUTO_TEST_SUITE(peers)

// However long they may take: each session shows that its server lives.
BOOST_AUTO_TEST_CASE(ends_all_calls_soon_after_a_peer_was_killed) {
  duration took = duration::max();
  for (int attempt = 0; attempt < 3 && took > 500ms; ++attempt) {
    other_process server;
    caller_node caller(server.address);
    auto out = call_and_reach_gate(server, caller);
    const auto since = clock::now();
    server.running.signal(SIGKILL);
    took = std::min(took, all_lost(out, since));
  }
  BOOST_TEST_MESSAGE("1000 calls ended after " << took.count() / 1'000 << " us");
  BOOST_TEST((took <= 500ms));
}

BOOST_AUTO_TEST_CASE(ends_all_calls_of_a_peer_that_was_stopped) {
  duration took = duration::max();
  for (int attempt = 0; attempt < 3 && took > 3200ms; ++attempt) {
    other_process server;
    caller_node caller(server.address);
    auto out = call_and_reach_gate(server, caller);
    const auto since = clock::now();
    server.running.signal(SIGSTOP);
    took = std::min(took, all_lost(out, since));
    server.running.signal(SIGCONT);
    // It was only stopped: the caller finds it again.
    BOOST_TEST(caller.probes()
                   .prepare({.timeout = 30s, .wait_for_ready = true})
                   .call<said>("plain", "x")
                   .has_value());
  }
  BOOST_TEST_MESSAGE("1000 calls ended after " << took.count() / 1'000'000 << " ms");
  BOOST_TEST((took <= 3200ms));
}

BOOST_AUTO_TEST_CASE(finds_a_server_again_that_was_started_anew) {
  auto server = std::make_unique<other_process>();
  const std::string address = server->address;
  caller_node caller(address);
  for (int round = 0; round < 3; ++round) {
    BOOST_TEST(caller.probes().call<said>("plain", "x").has_value());
    server->running.signal(SIGKILL);
    server->running.wait();
    BOOST_TEST(eventually([&] { return !caller.probes().call<said>("plain", "x"); }));
    server = std::make_unique<other_process>(other_process::options{.listen = address});
    BOOST_TEST(server->address == address);
    const auto got = caller.probes()
                         .prepare({.timeout = 20s, .wait_for_ready = true})
                         .call<said>("plain", "again");
    BOOST_REQUIRE_MESSAGE(got, why(got));
    BOOST_TEST(got->text == "again");
    BOOST_TEST(server->count("plain") == 1);  // A server that has just begun: nothing came twice.
  }
}

// It found a closed connection, so that nobody could tell whether it had run.
BOOST_AUTO_TEST_CASE(refuses_a_call_that_crossed_its_farewell) {
  bool refused = false;
  for (int attempt = 0; attempt < 5 && !refused; ++attempt) {  // A server waits half a second.
    other_process server({.heartbeat = 10s});
    raw_context raw;
    raw_session talker(raw, server.address);
    auto data = std::make_unique<raw_peer>(raw, talker.data_address());
    auto first = talker.attach();
    data->send(first);
    BOOST_REQUIRE(listen_for(*data, wire::plane::data, wire::kind::attached, 30'000));
    auto stopped = std::async(std::launch::async, [&] { return server.obey("stop 20000"); });
    BOOST_REQUIRE(talker.hears(wire::kind::goaway, 30'000));
    wire::batch late(wire::plane::data);
    wire::write_route(late, {0, "mailroom", "probe", "", "1.0", "plain"});
    wire::call_head head;
    head.id = 7;
    head.write(late.begin(wire::kind::call, wire::call_head::size));
    wire::pack_arguments(late.bytes(), std::string("too late"));
    late.finish();
    data->send(late);
    const auto answer = listen_for(*data, wire::plane::data, wire::kind::failure, 5'000);
    if (answer) {
      const auto failure = wire::read_failure(answer->message).value();
      BOOST_TEST(failure.id == 7U);
      BOOST_TEST((failure.why == errc::stopping));
      BOOST_TEST((failure.why.execution() == execution::not_run));
      refused = true;
    }
    data.reset();
    stopped.get();
  }
  BOOST_TEST(refused);
}

BOOST_AUTO_TEST_CASE(drains_within_a_second_although_a_caller_stays) {
  duration took = duration::max();
  for (int attempt = 0; attempt < 3 && took > 1s; ++attempt) {
    other_process server({.heartbeat = 10s});
    raw_context raw;
    raw_session talker(raw, server.address);
    raw_peer data(raw, talker.data_address());
    auto first = talker.attach();
    data.send(first);
    BOOST_REQUIRE(listen_for(data, wire::plane::data, wire::kind::attached, 30'000));
    const auto since = clock::now();
    BOOST_TEST(server.obey("stop 20000") == "1");
    took = std::min(took, clock::now() - since);
  }
  BOOST_TEST_MESSAGE("drained after " << took.count() / 1'000'000 << " ms");
  BOOST_TEST((took <= 1s));
}

BOOST_AUTO_TEST_CASE(bounds_what_a_peer_that_does_not_read_can_hold) {
  constexpr std::size_t bound = std::size_t{8} << 20U;
  for (const auto* executor : {"loop-bound", "work-stealing"}) {
    other_process server({.executor = executor, .backlog = bound});
    caller_node watcher(server.address);
    BOOST_TEST(watcher.probes().call<said>("plain", "x").has_value());
    const std::size_t before = private_mebibytes(server.running);
    // A peer that is alive, asks for 4 GiB in one go and does not take in what it gets.
    raw_context raw;
    raw_session deaf(raw, server.address);
    raw_peer data(raw, deaf.data_address(), 1);
    auto asks = deaf.attach();
    wire::write_route(asks, {0, "mailroom", "probe", "", "1.0", "make"});
    for (std::uint64_t id = 1; id <= 4096; ++id) {
      wire::call_head head;
      head.id = id;
      head.write(asks.begin(wire::kind::call, wire::call_head::size));
      wire::pack_arguments(asks.bytes(), std::size_t{1} << 20U);
      asks.finish();
    }
    data.send(asks);
    std::jthread alive([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        deaf.ping();
        std::this_thread::sleep_for(200ms);
      }
    });
    std::size_t most = 0;
    for (const auto end = clock::now() + 4s; clock::now() < end;) {
      most = std::max(most, private_mebibytes(server.running));
      const auto got = watcher.probes().call<said>("plain", "x");
      BOOST_REQUIRE_MESSAGE(got, why(got));
    }
    BOOST_TEST_MESSAGE(executor << ": from " << before << " to at most " << most
                                << " MiB, bound of a peer " << (bound >> 20U));
    // The network's own buffers and one frame come on top of the bound.
    BOOST_TEST(most <= before + (bound >> 20U) + 48, executor);
    BOOST_TEST(server.count("made") > 0);
    const auto log = server.running.errors();
    BOOST_TEST(log.find("peer_cut_off") != std::string::npos, log);
    BOOST_TEST(log.find("peer_cut_off") == log.rfind("peer_cut_off"), log);
  }
}

BOOST_AUTO_TEST_CASE(answers_busy_when_an_endpoints_queue_is_full) {
  other_process server;
  caller_node caller(server.address);
  const auto crowded = caller.of("crowded");
  std::vector<std::future<result<int>>> out;
  for (int i = 0; i < 100; ++i) {
    out.push_back(crowded.future_call<int>("nap", 50));
  }
  int answered = 0;
  int busy = 0;
  for (auto& each : out) {
    const auto got = each.get();
    if (got) {
      ++answered;
    } else {
      BOOST_TEST(code_of(got) == "busy", why(got));
      BOOST_TEST((got.error().execution() == execution::not_run));
      BOOST_TEST((got.error().retry_after() > 0ms));
      ++busy;
    }
  }
  BOOST_TEST(answered + busy == 100);
  BOOST_TEST(busy > 0);
  BOOST_TEST(answered == server.count("hermit_started"));
}

BOOST_AUTO_TEST_CASE(answers_busy_when_a_peer_has_too_many_calls_out) {
  other_process server({.in_flight = 100});
  caller_node caller(server.address);
  const auto probes = caller.probes();
  std::vector<std::future<result<said>>> out;
  for (int i = 0; i < 100; ++i) {
    out.push_back(probes.future_call<said>("wait_at_gate"));
  }
  BOOST_REQUIRE(eventually([&] { return server.count("gate_reached") == 100; }));
  const auto refused = probes.call<said>("plain", "x");
  BOOST_REQUIRE(!refused);
  BOOST_TEST(code_of(refused) == "busy");
  BOOST_TEST((refused.error().execution() == execution::not_run));
  // Others are not held up by it.
  caller_node other(server.address);
  BOOST_TEST(other.probes().call<int>("open_gate").value() == 100);
  for (auto& each : out) {
    BOOST_TEST(each.get().has_value());
  }
  BOOST_TEST(probes.call<said>("plain", "x").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
