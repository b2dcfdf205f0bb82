#include <mailroom/tests/support/eventually.hpp>
#include <mailroom/tests/support/process.hpp>

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

// A node with several I/O loops: who runs where, and that no call hops that need not.

using namespace mailroom;
using mailroom::tests::eventually;
using mailroom::tests::process;

namespace {

std::string thread_name() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

class teller {
 public:
  std::string thread(context&) { return thread_name(); }
  task<std::string> nap(context& ctx, int milliseconds) {
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return thread_name();
  }

  static endpoint_builder<teller> described() {
    return endpoint<teller>().method("thread", &teller::thread).method("nap", &teller::nap);
  }
};

const std::map<std::string, std::string> homes{
    {"one", "mr-loop-0"}, {"two", "mr-loop-1"}, {"three", "mr-loop-0"}, {"four", "mr-loop-1"}};

/// The service with two loops in a process of its own, and a node that calls it.
struct scene {
  explicit scene(std::vector<std::string> words = {})
      : service(command(std::move(words))),
        address(service.read_after("ready ")),
        desk({.name = "desk", .connect = {address}}) {
    log::set_level(log::level::error);
    desk.start().value();
  }

  static std::vector<std::string> command(std::vector<std::string> words) {
    words.insert(words.begin(), {MAILROOM_LOOPS_SERVICE, "--loops=2"});
    return words;
  }

  client of(const std::string& topic) { return client(desk, {.topic = topic}); }
  std::string thread_of(const std::string& topic) {
    return of(topic).call<std::string>("thread").value();
  }
  nlohmann::json ask(const char* verb) {
    return nlohmann::json::parse(
        wire::json_from_body(desk.admin(address, verb).value().view()).value());
  }
  std::uint64_t figure(const char* name, const std::string& executor = "loop-bound") {
    for (const auto& each : ask("executors")) {
      if (each.at("name") == executor) {
        return each.at(name).get<std::uint64_t>();
      }
    }
    return 0;
  }
  std::uint64_t hops() { return figure("hops"); }

  process service;
  std::string address;
  node desk;
};

// Calls `next` from one thread until it is told to stop; what came out of order, twice or never.
class stream {
 public:
  stream(client to, int at_once) : to_(std::move(to)), thread_([this, at_once] { run(at_once); }) {}
  ~stream() { stop(); }

  void stop() {
    enough_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  int failed() const { return failed_; }
  int out_of_order() const { return out_of_order_; }
  int answered() const { return answered_; }

 private:
  void run(int at_once) {
    int number = 0;
    while (!enough_) {
      std::vector<std::future<result<int>>> out;
      const int first = number + 1;
      for (int i = 0; i < at_once; ++i) {
        out.push_back(to_.future_call<int>("next", ++number));
      }
      for (int i = 0; i < at_once; ++i) {
        const auto due = out[static_cast<std::size_t>(i)].get();
        failed_ += due ? 0 : 1;
        out_of_order_ += due && *due != first + i ? 1 : 0;
        ++answered_;
      }
    }
  }

  client to_;
  std::atomic<bool> enough_{false};
  std::atomic<int> failed_{0};
  std::atomic<int> out_of_order_{0};
  std::atomic<int> answered_{0};
  std::thread thread_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(host_loops)

BOOST_AUTO_TEST_CASE(topics_live_on_loops_by_turns_and_their_calls_make_no_hop) {
  scene at;
  const auto before = at.hops();
  std::vector<std::future<result<std::string>>> out;
  for (int i = 0; i < 500; ++i) {
    for (const auto& [topic, home] : homes) {
      out.push_back(at.of(topic).future_call<std::string>("thread"));
    }
  }
  for (std::size_t i = 0; i < out.size();) {
    for (const auto& [topic, home] : homes) {
      BOOST_TEST_REQUIRE(out[i++].get().value() == home);
    }
  }
  BOOST_TEST(at.hops() - before == 0U);
  BOOST_TEST(at.figure("threads") == 2U);
  BOOST_TEST(at.figure("endpoints") == 4U);
  std::map<std::string, int> loops;
  const auto described = at.ask("describe");
  for (const auto& each : described.at("topics")) {
    loops[each.at("topic")] = each.at("loop").get<int>();
  }
  BOOST_TEST(
      (loops == std::map<std::string, int>{{"one", 0}, {"two", 1}, {"three", 0}, {"four", 1}}));
  BOOST_TEST(at.ask("stats").at("peers") == 2);  // The desk and itself.
}

BOOST_AUTO_TEST_CASE(what_handlers_wait_for_makes_no_hop_either) {
  scene at;
  const auto before = at.hops();
  for (const auto* method : {"wait", "wait_on_fiber"}) {
    for (const auto& [topic, home] : homes) {
      BOOST_TEST(at.of(topic).call<std::string>(method).value() == home, topic << "." << method);
    }
  }
  BOOST_TEST(at.hops() - before == 0U);
}

BOOST_AUTO_TEST_CASE(handlers_at_home_on_different_loops_run_beside_each_other) {
  scene at;
  auto first = at.of("one").future_call<std::string>("meet", 2);
  auto second = at.of("two").future_call<std::string>("meet", 2);
  BOOST_TEST(first.get().value() == "mr-loop-0");
  BOOST_TEST(second.get().value() == "mr-loop-1");
}

BOOST_AUTO_TEST_CASE(handlers_call_each_other_across_loops) {
  scene at;
  for (const auto& [from, here] : homes) {
    for (const auto& [to, there] : homes) {
      BOOST_TEST(at.of(from).call<std::string>("ask", to).value() == there + " " + here);
    }
  }
  BOOST_TEST(at.hops() != 0U);  // Their calls leave by the first loop, whoever makes them.
}

BOOST_AUTO_TEST_CASE(the_deployment_chooses_a_loop) {
  scene at({"--place=one=loop-bound/1", "--place=two=loop-bound/0", "--place=four=work-stealing"});
  BOOST_TEST(at.thread_of("one") == "mr-loop-1");
  BOOST_TEST(at.thread_of("two") == "mr-loop-0");
  BOOST_TEST(at.thread_of("three") == "mr-loop-0");  // The first that leaves it open.
  BOOST_TEST(at.thread_of("four").substr(0, 6) == "mr-ws-");
  BOOST_TEST(at.hops() == 0U);
  BOOST_TEST(at.figure("hops", "work-stealing") == 1U);
}

BOOST_AUTO_TEST_CASE(a_topic_moves_to_another_loop_under_load_and_its_calls_follow) {
  scene at;
  std::vector<std::unique_ptr<stream>> streams;
  streams.push_back(std::make_unique<stream>(at.of("one"), 100));
  streams.push_back(std::make_unique<stream>(at.of("two"), 100));
  node other({.name = "other", .connect = {at.address}});
  other.start().value();
  // Two who hear of it at different times.
  streams.push_back(std::make_unique<stream>(client(other, {.topic = "three"}), 10));
  const auto place = [&](const std::string& topic, const std::string& executor) {
    wire::buffer asked;
    wire::pack(asked, std::tuple(topic, executor, 5000U));
    const auto moved = at.desk.admin(at.address, "place", bytes(std::move(asked)));
    BOOST_TEST_REQUIRE(
        moved.has_value(),
        topic << " to " << executor << ": " << (moved ? "" : moved.error().to_string()));
  };
  for (int i = 0; i < 60; ++i) {
    const int loop = i % 2;
    // Crosswise, so that each link is left and entered at once.
    place("one", "loop-bound/" + std::to_string(1 - loop));
    BOOST_TEST(at.thread_of("one") == "mr-loop-" + std::to_string(1 - loop));
    place("two", "loop-bound/" + std::to_string(loop));
    place("three", i % 3 == 0 ? "work-stealing" : "loop-bound/" + std::to_string(loop));
    const int seen = streams[0]->answered();
    BOOST_TEST(eventually([&] { return streams[0]->answered() >= seen + 100; }));
  }
  for (const auto& each : streams) {
    each->stop();
    BOOST_TEST(each->failed() == 0);
    BOOST_TEST(each->out_of_order() == 0);
  }
  // Once the callers know, nothing hops.
  BOOST_TEST(eventually([&] {
    const auto before = at.hops();
    for (int i = 0; i < 50; ++i) {
      at.thread_of("one");
      at.thread_of("two");
    }
    return at.hops() == before;
  }));
}

BOOST_AUTO_TEST_CASE(each_loop_is_watched_and_a_stuck_one_keeps_nobody_from_the_other) {
  scene at({"--watchdog=100ms"});
  const auto reported = [&](const std::string& handler, const std::string& thread) {
    return eventually([&] {
      const auto errors = at.service.errors();
      const auto line = errors.find("handler=" + handler);
      return line != std::string::npos &&
             errors.find("thread=" + thread, line) < errors.find('\n', line);
    });
  };
  auto second = at.of("two").future_call<std::string>("meet", 1000);
  BOOST_TEST(reported("two.meet", "mr-loop-1"));
  BOOST_TEST(at.thread_of("one") == "mr-loop-0");
  BOOST_TEST(at.figure("stuck") == 1U);
  auto first = at.of("one").future_call<std::string>("meet", 1000);
  BOOST_TEST(reported("one.meet", "mr-loop-0"));
  BOOST_TEST(at.figure("stuck") == 2U);
  at.service.write_line("they have met");
  BOOST_TEST(first.get().value() == "mr-loop-0");
  BOOST_TEST(second.get().value() == "mr-loop-1");
  BOOST_TEST(at.figure("stuck") == 0U);
  BOOST_TEST(at.figure("stuck_turns") == 2U);
}

BOOST_AUTO_TEST_CASE(who_stops_answers_by_every_loop) {
  for (int round = 0; round < 20; ++round) {
    node at({.listen = "tcp://127.0.0.1:0", .loops = 3});
    for (const auto* topic : {"a", "b", "c"}) {
      at.serve({.topic = topic}, teller::described());
    }
    at.start().value();
    node desk({.connect = {at.address()}});
    desk.start().value();
    std::vector<std::future<result<std::string>>> out;
    for (int i = 0; i < 300; ++i) {
      for (const auto* topic : {"a", "b", "c"}) {
        out.push_back(client(desk, {.topic = topic}).future_call<std::string>("nap", 10));
      }
    }
    // What has not begun is refused; that it has is what the answer to a later call says.
    for (const auto* topic : {"a", "b", "c"}) {
      client(desk, {.topic = topic}).call<std::string>("thread").value();
    }
    BOOST_TEST(at.stop());
    for (auto& each : out) {
      const auto got = each.get();
      BOOST_TEST_REQUIRE(got.has_value(), (got ? "" : got.error().to_string()));
    }
    desk.stop();
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_loop_says_which_there_are) {
  const auto refusal = [](const std::string& executor, std::size_t loops) {
    node at({.executor = executor, .loops = loops});
    const auto started = at.start();
    BOOST_TEST_REQUIRE(!started.has_value());
    BOOST_TEST((started.error() == errc::invalid_value));
    return std::string(started.error().message());
  };
  BOOST_TEST(refusal("loop-bound/2", 2) ==
             "executor 'loop-bound' has no loop '2'; this node has 2, 0 to 1");
  BOOST_TEST(refusal("loop-bound/1", 1) ==
             "executor 'loop-bound' has no loop '1'; this node has one, 0");
  for (const auto* number : {"", "x", "1x", "-1", "+1", "99999999999999999999"}) {
    refusal(std::string("loop-bound/") + number, 2);
  }
  BOOST_TEST(refusal("work-stealing/0", 2) ==
             "executor 'work-stealing' has no loops to choose from: it is work-stealing");
  BOOST_TEST(refusal("lop-bound/1", 2).find("no executor 'lop-bound/1'") == 0U);
  BOOST_TEST(refusal("loop-bound", 0) == "a node has from 1 to 256 I/O loops, not 0");
  BOOST_TEST(refusal("loop-bound", 257) == "a node has from 1 to 256 I/O loops, not 257");
}

BOOST_AUTO_TEST_CASE(every_transport_has_a_port_for_each_loop) {
  const auto folder = std::filesystem::temp_directory_path() / "mailroom-loops-XXXXXX";
  std::string path = folder.string();
  BOOST_TEST_REQUIRE(::mkdtemp(path.data()) != nullptr);
  for (const std::string listen :
       {"tcp://127.0.0.1:0", "local://*", "local://loops", "ipc://*", "ipc:///"}) {
    const std::string where = listen == "ipc:///" ? "ipc://" + path + "/loops" : listen;
    BOOST_TEST_CONTEXT(where) {
      node at({.listen = where, .loops = 3});
      for (const std::string topic : {"a", "b", "c", "d"}) {
        at.serve({.topic = topic}, teller::described());
      }
      at.start().value();
      node desk({.connect = {at.address()}});
      desk.start().value();
      const auto said = [&](node& from, const std::string& topic) {
        return client(from, {.topic = topic}).call<std::string>("thread").value();
      };
      for (node* each : {&desk, &at}) {
        BOOST_TEST(said(*each, "a") == "mr-loop-0");
        BOOST_TEST(said(*each, "b") == "mr-loop-1");
        BOOST_TEST(said(*each, "c") == "mr-loop-2");
        BOOST_TEST(said(*each, "d") == "mr-loop-0");
      }
      // A topic that comes later is known at once here, and soon there.
      at.serve({.topic = "late"}, teller::described()).value();
      BOOST_TEST(said(at, "late") == "mr-loop-1");
      BOOST_TEST(client(desk, {.topic = "late"})
                     .prepare({.wait_for_ready = true})
                     .call<std::string>("thread")
                     .value() == "mr-loop-1");
      BOOST_TEST(desk.stop());
      BOOST_TEST(at.stop());
    }
  }
  std::filesystem::remove_all(path);
}

BOOST_AUTO_TEST_SUITE_END()
