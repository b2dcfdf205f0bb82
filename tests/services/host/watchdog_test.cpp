#include <mailroom/tests/support/eventually.hpp>
#include <mailroom/tests/support/process.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <signal.h>

#include <algorithm>
#include <future>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

using namespace mailroom;
using mailroom::tests::eventually;
using mailroom::tests::process;

namespace {

const std::vector<std::string> topics{"coop", "steal-0", "steal-1", "loop"};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The service in a process of its own, one topic on each executor (on work-stealing one for each
/// of its two threads), and a node that calls it.
struct scene {
  explicit scene(const std::string& watchdog, const std::string& spare_workers = "0")
      : service({MAILROOM_STUCK_SERVICE,
                 "--heartbeat=100ms",
                 "--watchdog=" + watchdog,
                 "--drain=100ms",
                 "--workers=2",
                 "--spare-workers=" + spare_workers,
                 "--place=free=work-stealing",
                 "--place=coop=cooperative",
                 "--place=steal-0=work-stealing",
                 "--place=steal-1=work-stealing",
                 "--place=loop=loop-bound"}),
        address(service.read_after("ready ")),
        desk({.name = "desk", .connect = {address}}) {
    log::set_sink([this](log::level, std::string_view line) {
      const std::lock_guard lock(mutex);
      said.append(line).append("\n");
    });
    desk.start().value();
  }
  ~scene() {
    open_gate();
    desk.stop(std::chrono::seconds(1));
    log::set_sink({});
  }

  client of(const std::string& topic, duration timeout = std::chrono::seconds(60)) {
    return client(desk, {.topic = topic}).prepare({.timeout = timeout});
  }
  void open_gate() {
    if (service.running()) {
      service.write_line("open");
    }
  }

  nlohmann::json ask(const char* verb) {
    const auto answer = desk.admin(address, verb);
    BOOST_REQUIRE(answer);
    return nlohmann::json::parse(wire::json_from_body(answer->view()).value());
  }
  std::size_t sum(const char* figure) {
    std::size_t all = 0;
    for (const auto& each : ask("executors")) {
      all += each.at(figure).get<std::size_t>();
    }
    return all;
  }

  std::vector<std::string> reports() const {
    std::vector<std::string> found;
    std::istringstream lines(service.errors());
    for (std::string line; std::getline(lines, line);) {
      if (has(line, " stuck_turn ")) {
        found.push_back(line);
      }
    }
    return found;
  }
  std::string log_here() {
    const std::lock_guard lock(mutex);
    return said;
  }

  std::mutex mutex;
  std::string said;  // What this process logged. Guarded by mutex.
  process service;
  std::string address;
  node desk;
};

// How long it takes at best: the machine may be busy with something else once.
duration fastest(const std::function<void()>& what) {
  duration best = duration::max();
  for (int i = 0; i < 10 && best >= std::chrono::milliseconds(50); ++i) {
    const auto begun = clock::now();
    what();
    best = std::min<duration>(best, clock::now() - begun);
  }
  return best;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(watchdog)

BOOST_AUTO_TEST_CASE(control_plane_and_deadlines_go_on_while_every_executor_is_stuck) {
  scene at("200ms");
  constexpr auto limit = std::chrono::milliseconds(1500);
  const auto begun = clock::now();
  std::vector<std::future<result<std::string>>> calls;
  for (const auto& topic : topics) {
    calls.push_back(at.of(topic, limit).future_call<std::string>("hang"));
  }
  BOOST_REQUIRE(eventually([&] { return at.reports().size() >= topics.size(); }));

  const auto quick = std::chrono::milliseconds(50);
  BOOST_TEST((fastest([&] { at.desk.ping(at.address).value(); }) < quick));
  for (const char* verb : {"executors", "describe", "stats"}) {
    BOOST_TEST((fastest([&] { at.desk.admin(at.address, verb).value(); }) < quick), verb);
  }
  BOOST_TEST(at.sum("stuck") == 4U);

  for (auto& each : calls) {
    const auto got = each.get();
    BOOST_REQUIRE(!got);
    BOOST_TEST((got.error() == errc::expired), got.error().to_string());
  }
  const auto took = clock::now() - begun;
  BOOST_TEST((took >= limit));
  BOOST_TEST((took < limit + std::chrono::seconds(1)), took.count() / 1'000'000 << " ms");

  // Fifteen heartbeats have gone by, and neither side has lost the other.
  at.desk.ping(at.address).value();
  BOOST_TEST(!has(at.service.errors(), "peer_lost"), at.service.errors());
  BOOST_TEST(!has(at.log_here(), "warn "), at.log_here());

  at.open_gate();
  for (const auto& topic : topics) {
    // It is `busy` until it has been seen that it moves again.
    BOOST_TEST(eventually(
        [&] { return at.of(topic).call<std::string>("quick").value_or("") == "quick"; }));
  }
  BOOST_TEST(at.sum("stuck") == 0U);
  BOOST_TEST(at.sum("stuck_turns") == 4U);
  const std::map<std::string, std::string> homes{{"coop", "executor=cooperative"},
                                                 {"steal-0", "executor=work-stealing"},
                                                 {"steal-1", "executor=work-stealing"},
                                                 {"loop", "executor=loop-bound"}};
  const auto reports = at.reports();
  BOOST_TEST(reports.size() == 4U);
  for (const auto& [topic, home] : homes) {
    const auto about = [&, name = topic](const std::string& line) {
      return has(line, " handler=" + name + ".hang ");
    };
    BOOST_REQUIRE(std::count_if(reports.begin(), reports.end(), about) == 1);
    const auto line = *std::find_if(reports.begin(), reports.end(), about);
    BOOST_TEST(has(line, home), line);
    BOOST_TEST(has(line, " call="), line);
    BOOST_TEST(has(line, " age="), line);
    BOOST_TEST(has(line, "stuck_handlers::hang"), line);
  }
  BOOST_TEST_MESSAGE(reports.front());
}

BOOST_AUTO_TEST_CASE(spare_workers_serve_other_topics_while_all_threads_are_stuck) {
  scene at("100ms", "2");
  auto first = at.of("steal-0").future_call<std::string>("hang");
  auto second = at.of("steal-1").future_call<std::string>("hang");
  BOOST_REQUIRE(eventually([&] { return at.reports().size() == 2; }));
  for (int i = 0; i != 10; ++i) {
    BOOST_TEST(at.of("free").call<std::string>("quick").value() == "quick");
    BOOST_TEST(at.of("free").call<std::string>("suspend", 1).value() == "suspended");
  }
  BOOST_TEST(at.sum("spares") == 2U);
  for (const auto& line : at.reports()) {
    BOOST_TEST(has(line, " relieved=true "), line);
  }
  at.open_gate();
  BOOST_TEST(first.get().value() == "hung");
  BOOST_TEST(second.get().value() == "hung");
  BOOST_TEST(eventually([&] { return at.sum("spares") == 0; }));
  BOOST_TEST(at.of("free").call<std::string>("quick").value() == "quick");
}

// It waited for ever for a condition variable of the program, which the handler waited on.
BOOST_AUTO_TEST_CASE(a_process_ends_though_a_handler_of_it_never_does) {
  for (const auto& topic : topics) {
    scene at("100ms");
    auto held = at.of(topic).future_call<std::string>("hang");
    BOOST_REQUIRE(eventually([&] { return !at.reports().empty(); }));
    at.service.signal(SIGTERM);
    BOOST_TEST((at.service.wait() == 1), topic);
    BOOST_TEST(has(at.service.errors(), " stopped "), at.service.errors());
    BOOST_TEST(!held.get().has_value());
  }
}

BOOST_AUTO_TEST_CASE(lets_those_ask_who_come_when_the_loop_is_stuck) {
  scene at("200ms");
  auto held = at.of("loop").future_call<std::string>("hang");
  BOOST_REQUIRE(eventually([&] { return !at.reports().empty(); }));
  // From nothing to the answer and away again: no step of it waits for the loop that is stuck.
  const auto took = fastest([&] {
    node late({.name = "late", .connect = {at.address}, .connect_within = duration::zero()});
    late.start().value();
    BOOST_REQUIRE(late.ping(at.address, std::chrono::seconds(10)));
    BOOST_REQUIRE(late.admin(at.address, "executors", std::chrono::seconds(10)));
  });
  BOOST_TEST((took < std::chrono::milliseconds(200)), took.count() << " ns");
  at.open_gate();
  BOOST_TEST(held.get().value() == "hung");
}

// They heard that there was no server, when its data link had been waited for.
BOOST_AUTO_TEST_CASE(tells_who_comes_when_the_loop_is_stuck_that_it_is) {
  scene at("100ms");
  auto held = at.of("loop").future_call<std::string>("hang");
  BOOST_REQUIRE(eventually([&] {
    const auto got = at.of("loop", std::chrono::milliseconds(100)).call<std::string>("quick");
    return !got && got.error() == errc::busy;
  }));
  node late({.name = "late", .connect = {at.address}, .connect_within = duration::zero()});
  late.start().value();
  const auto took = fastest([&] {
    const auto got = client(late, {.topic = "loop"}).call<std::string>("quick");
    BOOST_TEST((!got && got.error() == errc::busy), got.error().to_string());
  });
  BOOST_TEST((took < std::chrono::milliseconds(200)), took.count() << " ns");
  at.open_gate();
  BOOST_TEST(held.get().value() == "hung");
  BOOST_TEST(eventually(
      [&] { return client(late, {.topic = "loop"}).call<std::string>("quick").has_value(); }));
}

BOOST_AUTO_TEST_CASE(names_handlers_that_wait_in_other_ways) {
  scene at("100ms");
  auto fiber = at.of("coop").future_call<std::string>("hang_on_fiber");
  auto coroutine = at.of("loop").future_call<std::string>("hang_in_coroutine");
  auto stolen = at.of("steal-0").future_call<std::string>("hang_on_fiber");
  BOOST_REQUIRE(eventually([&] { return at.reports().size() >= 3; }));
  for (const auto& line : at.reports()) {
    const bool is_coroutine = has(line, "handler=loop.hang_in_coroutine ");
    BOOST_TEST((is_coroutine || has(line, ".hang_on_fiber ")), line);
    BOOST_TEST(
        has(line,
            is_coroutine ? "stuck_handlers::hang_in_coroutine" : "stuck_handlers::hang_on_fiber"),
        line);
    BOOST_TEST_MESSAGE(line);
  }
  at.open_gate();
  for (auto* each : {&fiber, &coroutine, &stolen}) {
    BOOST_TEST(each->get().value() == "hung");
  }
  BOOST_TEST(at.reports().size() == 3U);
}

BOOST_AUTO_TEST_CASE(leaves_handlers_alone_that_wait_without_their_thread) {
  scene at("400ms");
  std::vector<std::future<result<std::string>>> waiting;
  for (const auto& topic : topics) {
    waiting.push_back(at.of(topic).future_call<std::string>("park", 1000));
    waiting.push_back(at.of(topic).future_call<std::string>("suspend", 1000));
  }
  for (auto& each : waiting) {
    BOOST_TEST(each.get().has_value());
  }
  std::vector<std::future<result<std::string>>> blocked;
  for (const auto& topic : topics) {
    blocked.push_back(
        at.of(topic, std::chrono::milliseconds(1000)).future_call<std::string>("block"));
  }
  for (auto& each : blocked) {
    BOOST_TEST(!each.get());
  }
  BOOST_TEST(at.reports().empty());
  BOOST_TEST(at.sum("stuck_turns") == 0U);
}

BOOST_AUTO_TEST_CASE(is_off_when_its_limit_is_nothing) {
  scene at("0");
  auto call = at.of("coop", std::chrono::seconds(2)).future_call<std::string>("hang");
  BOOST_TEST(!call.get());
  BOOST_TEST(at.reports().empty());
  BOOST_TEST(at.sum("stuck") == 0U);
  BOOST_TEST(at.sum("stuck_turns") == 0U);
}

BOOST_AUTO_TEST_CASE(refuses_a_limit_that_is_too_short) {
  node at({.watchdog = std::chrono::milliseconds(1)});
  const auto started = at.start();
  BOOST_REQUIRE(!started);
  BOOST_TEST((started.error() == errc::invalid_value));
}

BOOST_AUTO_TEST_SUITE_END()
