#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace mailroom::tests::node_test {
namespace {

// Keeps its thread until it is let go.
class stuck {
 public:
  explicit stuck(std::shared_ptr<std::promise<void>> here, std::shared_future<void> let_go)
      : here_(std::move(here)), let_go_(std::move(let_go)) {}
  void hold(context&) {
    here_->set_value();
    let_go_.wait();
  }

 private:
  std::shared_ptr<std::promise<void>> here_;
  std::shared_future<void> let_go_;
};

class counting {
 public:
  int next(context&) { return ++count_; }

 private:
  int count_ = 0;
};

std::string code_of(std::future<void>& task) {
  try {
    task.get();
    return "ok";
  } catch (const call_error& failed) {
    return std::string(to_string(failed.why().code()));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(host_node)

// It began after everything had been cancelled, waited for ever, and `stop` gave the node up.
BOOST_AUTO_TEST_CASE(does_not_begin_a_task_once_it_stops) {
  log::set_level(log::level::error);
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto here = std::make_shared<std::promise<void>>();
      std::promise<void> let_go;
      node at({.executor = std::string(policy), .workers = 1});
      at.serve({.topic = "stuck"},
               endpoint<stuck>(here, let_go.get_future().share()).method("hold", &stuck::hold));
      at.start().value();
      auto held = client(at, {.topic = "stuck"}).future_call<void>("hold");
      here->get_future().wait();
      bool begun = false;
      auto task = at.run("late", [&](context& ctx) -> mailroom::task<void> {
        begun = true;
        co_await ctx.sleep(1h);
      });
      std::thread other([&] {
        std::this_thread::sleep_for(200ms);
        let_go.set_value();
      });
      BOOST_TEST(!at.stop(0ms));  // A handler ran. What counts is that it ends.
      other.join();
      BOOST_TEST_REQUIRE((task.wait_for(5s) == std::future_status::ready));
      BOOST_TEST(code_of(task) == "cancelled");
      BOOST_TEST(!begun);
      BOOST_TEST(at.start().has_value());
      BOOST_TEST(at.stop());
    }
  }
}

// It used what had been freed.
BOOST_AUTO_TEST_CASE(tells_its_clients_when_it_has_stopped) {
  node at({.name = "at", .executor = "work-stealing", .workers = 1});
  at.serve({.topic = "counting"}, endpoint<counting>().method("next", &counting::next));
  for (int round = 0; round < 5; ++round) {
    at.start().value();
    const client before(at, {.topic = "counting"});
    std::atomic<bool> stopped{false};
    std::promise<void> called;
    std::thread caller([&] {
      called.set_value();
      while (!stopped.load()) {
        static_cast<void>(before.call<int>("next"));  // Answered until it stops.
      }
    });
    called.get_future().wait();
    at.stop(std::chrono::seconds(5));
    stopped = true;
    caller.join();
    const auto known = before.call<int>("next");
    BOOST_TEST((known.error() == errc::cancelled));
    BOOST_TEST((known.error().execution() == execution::not_run));
    BOOST_TEST((before.prepare({.version = "1.0"}).call<int>("next").error() == errc::cancelled));
    BOOST_TEST((before.cast("next").error() == errc::cancelled));
    BOOST_TEST((before.future_call<int>("other").get().error() == errc::cancelled));
    at.start().value();
    BOOST_TEST((before.call<int>("next").error() == errc::cancelled));
    BOOST_TEST(client(at, {.topic = "counting"}).call<int>("next").has_value());
    at.stop(std::chrono::seconds(5));
  }
}

BOOST_AUTO_TEST_CASE(has_a_name_that_can_be_shown) {
  for (const char* name : {"\x1b[31m", "a\nb", "\xff"}) {
    const auto started = node({.name = name}).start();
    BOOST_TEST_REQUIRE(!started.has_value());
    BOOST_TEST((started.error() == errc::invalid_value));
  }
}

BOOST_AUTO_TEST_CASE(does_not_stop_in_a_handler_of_its_own) {
  log::set_level(log::level::off);
  node at({});
  at.start().value();
  bool stopped = true;
  at.run("stops", [&](context&) -> task<void> {
      stopped = at.stop();
      co_return;
    }).get();
  BOOST_TEST(!stopped);
  BOOST_TEST(at.stop());
}

// The second client of the address took the place of the first, whose news then met nobody.
BOOST_AUTO_TEST_CASE(connects_once_to_an_address_that_is_named_twice) {
  log::set_level(log::level::error);
  node at({.name = "named", .listen = "local://named"});
  at.serve({.topic = "counting"}, endpoint<counting>().method("next", &counting::next));
  at.start().value();
  for (const auto* address : {"local://named", "local://nobody", "nonsense://"}) {
    node asks({.connect = {address, address, address}});
    if (asks.start()) {
      const auto got = client(asks, {.topic = "counting"}).call<int>("next");
      BOOST_TEST(got.has_value() == (address == std::string("local://named")));
    }
  }
}

// It was announced to peers that refuse such lists, and all that the node served was out of reach.
// The second could not start: the data address of both was "*.data".
BOOST_AUTO_TEST_CASE(listens_beside_others_at_names_that_the_system_chooses) {
  for (const auto* listen : {"local://*", "ipc://*", "tcp://127.0.0.1:0"}) {
    BOOST_TEST_CONTEXT(listen) {
      node first({.listen = listen});
      node second({.listen = listen});
      for (node* each : {&first, &second}) {
        each->serve({.topic = "counting"}, endpoint<counting>().method("next", &counting::next))
            .value();
        each->start().value();
      }
      BOOST_TEST(first.address() != second.address());
      for (node* each : {&first, &second}) {
        node caller({.connect = {each->address()}});
        caller.start().value();
        BOOST_TEST(client(caller, {.topic = "counting"}).call<int>("next").value() == 1);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(says_so_when_it_serves_one_topic_too_many) {
  log::set_level(log::level::error);
  // Longer than what fits the other control messages.
  const auto name = [](std::size_t number) {
    return "region-eu-central-1.warehouse-0042.shelf-" + std::to_string(100'000 + number) +
           ".inventory";
  };
  node at({.name = "large", .listen = "local://large", .max_body = 1000});
  for (std::size_t i = 0; i < wire::max_topics - 1; ++i) {
    at.serve({.topic = name(i)}, endpoint<counting>().method("next", &counting::next)).value();
  }
  at.start().value();
  const auto add = [&](std::string topic, std::string name_space = {}) {
    return at.serve({.topic = std::move(topic), .name_space = std::move(name_space)},
                    endpoint<counting>().method("next", &counting::next));
  };
  node asks({.name = "asks", .connect = {"local://large"}, .max_body = 1000});
  asks.start().value();
  const auto calls = [&](std::size_t number) {
    return client(asks, {.topic = name(number)})
        .prepare({.wait_for_ready = true})
        .call<int>("next");
  };
  BOOST_TEST(calls(0).value() == 1);
  BOOST_TEST(calls(wire::max_topics - 2).value() == 1);
  BOOST_TEST(add(name(wire::max_topics - 1)).has_value());  // Announced.
  BOOST_TEST(calls(wire::max_topics - 1).value() == 1);
  const auto over = add("one more");
  BOOST_TEST_REQUIRE(!over.has_value());
  BOOST_TEST((over.error() == errc::too_large));
  BOOST_TEST(over.error().message().find("65536") != std::string::npos, over.error().message());
  BOOST_TEST(add(name(7), "another").has_value());  // No new topic.
  BOOST_TEST(calls(0).value() == 2);
  BOOST_TEST(asks.stop(1min));
  BOOST_TEST(at.stop(1min));
}

BOOST_AUTO_TEST_CASE(says_so_when_the_names_of_its_topics_are_too_long_together) {
  node at({.name = "wordy"});
  const auto add = [&](std::size_t number, std::size_t size) {
    return at.serve({.topic = std::string(size, 't') + std::to_string(100'000 + number)},
                    endpoint<counting>().method("next", &counting::next));
  };
  BOOST_TEST((add(0, wire::max_text).error() == errc::invalid_target));
  std::size_t served = 0;
  auto outcome = add(served, 4000);
  while (outcome && served < wire::max_topics) {
    outcome = add(++served, 4000);
  }
  BOOST_TEST((outcome.error() == errc::too_large));
  BOOST_TEST(served > 3000U);
  // `start` tells of it again.
  BOOST_TEST((at.start().error() == errc::invalid_target));
  BOOST_TEST(at.start().has_value());
  BOOST_TEST(at.stop());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::node_test
