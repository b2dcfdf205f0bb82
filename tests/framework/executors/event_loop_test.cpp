#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/executors/event_loop.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <vector>

namespace mailroom::tests::event_loop_test {
using namespace executors;

namespace {

using phase = executors::event_loop::phase;

class probe final : public event_loop::source {
 public:
  probe(phase when, std::function<void()> then) : source(when), then_(std::move(then)) {}
  void on_ready() noexcept override { then_(); }

 private:
  std::function<void()> then_;
};

struct running_loop : event_loop {
  running_loop() : event_loop("mr-loop-7", platform::system()) { start(); }

  /// Runs `task` on the loop and waits for it.
  void call(const std::function<void()>& task) {
    tally done;
    post([&] {
      task();
      done.add();
    });
    BOOST_REQUIRE(done.reaches(1));
  }

  /// Waits until the loop sleeps, now that it has nothing else to do.
  void falls_asleep() {
    std::uint64_t before = 0;
    call([&] { before = stats().sleeps; });
    BOOST_REQUIRE(eventually([&] { return stats().sleeps > before; }));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(event_loop)

BOOST_AUTO_TEST_CASE(names_its_thread) {
  running_loop loop;
  std::string name;
  bool on = false;
  loop.call([&] {
    name = this_thread_name();
    on = loop.on_loop_thread() && executors::event_loop::current() == &loop;
  });
  BOOST_TEST(name == "mr-loop-7");
  BOOST_TEST(on);
  BOOST_TEST(!loop.on_loop_thread());
}

BOOST_AUTO_TEST_CASE(wakes_from_sleep_when_notified) {
  running_loop loop;
  tally woken;
  probe source(phase::work, [&] { woken.add(); });
  for (int round = 1; round <= 100; ++round) {
    const auto passes = loop.stats().passes;
    loop.notify(source);
    BOOST_REQUIRE(woken.reaches(round));
    BOOST_REQUIRE(loop.stats().passes > passes);
    if (round % 10 == 0) {
      loop.falls_asleep();
    }
  }
  loop.call([&] { loop.forget(source); });
  BOOST_TEST(loop.stats().wakeups > 0U);
}

BOOST_AUTO_TEST_CASE(loses_no_notification_from_many_threads) {
  running_loop loop;
  // Every notification must be followed by a call that sees what was published before it.
  constexpr int threads = 3;
  constexpr int rounds = 20'000;
  std::array<std::atomic<int>, threads> published{};
  tally caught_up;
  std::array<int, threads> seen{};
  std::vector<std::unique_ptr<probe>> sources;
  for (std::size_t t = 0; t != threads; ++t) {
    sources.push_back(std::make_unique<probe>(phase::input, [&, t] {
      seen[t] = published[t].load(std::memory_order_relaxed);
      if (seen[t] == rounds) {
        caught_up.add();
      }
    }));
  }
  std::vector<std::thread> producers;
  for (std::size_t t = 0; t != threads; ++t) {
    producers.emplace_back([&, t] {
      for (int i = 1; i <= rounds; ++i) {
        published[t].store(i, std::memory_order_relaxed);
        loop.notify(*sources[t]);
      }
    });
  }
  for (auto& each : producers) {
    each.join();
  }
  BOOST_TEST(caught_up.reaches(threads));
  loop.stop();
}

BOOST_AUTO_TEST_CASE(wakes_once_for_many_notifications) {
  running_loop loop;
  tally called;
  std::atomic<bool> hold{true};
  std::vector<std::unique_ptr<probe>> sources;
  for (int i = 0; i != 50; ++i) {
    sources.push_back(std::make_unique<probe>(phase::work, [&] { called.add(); }));
  }
  tally held;
  loop.post([&] {
    held.add();
    while (hold) {
      std::this_thread::yield();
    }
  });
  BOOST_REQUIRE(held.reaches(1));
  const auto before = loop.stats().wakeups;
  for (int round = 0; round != 10; ++round) {
    for (auto& each : sources) {
      loop.notify(*each);  // The loop is awake: nobody needs to wake it.
    }
  }
  BOOST_TEST(loop.stats().wakeups == before);
  hold = false;
  BOOST_TEST(called.reaches(50));
  loop.call([] {});
  BOOST_TEST(called.value() == 50);
  loop.stop();
}

BOOST_AUTO_TEST_CASE(calls_notified_sources_in_the_order_of_their_notification) {
  running_loop loop;
  std::vector<int> order;
  tally done;
  std::vector<std::unique_ptr<probe>> sources;
  for (int i = 0; i != 5; ++i) {
    sources.push_back(std::make_unique<probe>(phase::work, [&, i] {
      order.push_back(i);
      done.add();
    }));
  }
  std::atomic<bool> hold{true};
  loop.post([&] {
    while (hold) {
      std::this_thread::yield();
    }
  });
  for (auto& each : sources) {
    loop.notify(*each);
  }
  hold = false;
  BOOST_REQUIRE(done.reaches(5));
  loop.stop();
  BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(runs_phases_in_order_and_earlier_ones_in_the_next_pass) {
  running_loop loop;
  std::vector<std::string> order;
  tally done;
  int rounds = 0;
  std::unique_ptr<probe> input;
  std::unique_ptr<probe> work;
  std::unique_ptr<probe> output;
  const auto note = [&](const char* what) {
    order.push_back(what + std::to_string(loop.stats().passes));
  };
  input = std::make_unique<probe>(phase::input, [&] {
    note("input ");
    loop.ready(*output);  // Later phases: in this pass.
    loop.ready(*work);
    loop.ready(*work);
  });
  work = std::make_unique<probe>(phase::work, [&] {
    note("work ");
    if (++rounds == 1) {
      loop.ready(*work);  // The same and an earlier phase: in the next.
      loop.ready(*input);
    }
  });
  output = std::make_unique<probe>(phase::output, [&] {
    note("output ");
    done.add();
  });
  std::uint64_t first = 0;
  loop.post([&] {
    loop.ready(*input);  // Posted tasks are input themselves: next pass.
    first = loop.stats().passes + 1;
  });
  BOOST_REQUIRE(done.reaches(2));
  loop.stop();
  const auto in = [&](const char* what, std::uint64_t pass) { return what + std::to_string(pass); };
  const std::vector<std::string> expected{in("input ", first),
                                          in("work ", first),
                                          in("output ", first),
                                          in("input ", first + 1),
                                          in("work ", first + 1),
                                          in("output ", first + 1)};
  BOOST_TEST(order == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(forgets_a_source_that_is_ready_notified_or_about_to_run) {
  running_loop loop;
  int called = 0;
  auto second = std::make_unique<probe>(phase::work, [&] { ++called; });
  probe first(phase::work, [&] {
    loop.forget(*second);
    second.reset();
  });
  std::atomic<bool> hold{true};
  tally held;
  probe third(phase::work, [&] { ++called; });
  loop.post([&] {
    loop.ready(first);
    loop.ready(*second);
    held.add();
    while (hold) {
      std::this_thread::yield();
    }
    loop.forget(third);
  });
  BOOST_REQUIRE(held.reaches(1));
  loop.notify(third);
  hold = false;
  loop.call([] {});
  loop.call([] {});
  BOOST_TEST(called == 0);
  BOOST_TEST(second == nullptr);
  loop.stop();
}

BOOST_AUTO_TEST_CASE(runs_posted_tasks_in_order_and_destroys_those_posted_after_stop) {
  auto loop = std::make_unique<executors::event_loop>("mr-loop-0", platform::system());
  std::vector<int> order;
  const auto token = std::make_shared<int>();
  loop->post([&] { order.push_back(1); });  // Waits for the start.
  loop->start();
  loop->post([&] {
    order.push_back(2);
    loop->post([&] { order.push_back(4); });
    order.push_back(3);
  });
  tally done;
  loop->post([&] { loop->post([&] { done.add(); }); });
  BOOST_REQUIRE(done.reaches(1));
  loop->stop();
  loop->stop();
  loop->post([token] {});
  BOOST_TEST(token.use_count() == 1);
  BOOST_TEST(order == (std::vector<int>{1, 2, 3, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(sees_its_descriptors_while_it_is_overloaded) {
  running_loop loop;
  std::unique_ptr<probe> busy;
  busy = std::make_unique<probe>(phase::work, [&] { loop.ready(*busy); });
  loop.post([&] { loop.ready(*busy); });
  tally handled;
  for (int round = 1; round <= 20; ++round) {
    boost::asio::post(loop.io(), [&] { handled.add(); });
    BOOST_REQUIRE(handled.reaches(round));
  }
  loop.call([&] { loop.forget(*busy); });
}

BOOST_AUTO_TEST_CASE(timers_fire_in_order_and_cancel_is_final) {
  running_loop loop;
  const auto start = clock::now();
  std::vector<int> order;
  tally done;
  const auto note = [&](int which) {
    order.push_back(which);
    done.add();
  };
  probe_timer second([&] { note(2); });
  probe_timer first([&] { note(1); });
  probe_timer never([&] { note(0); });
  probe_timer third([&] { note(3); });
  loop.arm(third, start + 30ms);
  loop.arm(second, start + 1h);
  loop.arm(never, start + 15ms);
  loop.arm(first, start + 10ms);
  loop.arm(second, start + 20ms);  // Moved to an earlier time.
  loop.cancel(never);
  BOOST_REQUIRE(done.reaches(3));
  BOOST_TEST((clock::now() - start >= 30ms));
  BOOST_TEST(order == (std::vector<int>{1, 2, 3}), boost::test_tools::per_element());

  // From the loop's own thread as well.
  loop.call([&] {
    loop.arm(first, loop.now() + 2ms);
    loop.arm(never, loop.now() + 1ms);
    loop.cancel(never);
  });
  BOOST_REQUIRE(done.reaches(4));
  BOOST_TEST(order.back() == 1);
}

BOOST_AUTO_TEST_CASE(an_idle_loop_uses_no_cpu) {
  running_loop loop;
  probe_timer far([] {});
  loop.arm(far, clock::now() + 1h);
  loop.falls_asleep();
  const auto before = loop.stats();
  const auto spent = cpu_time();
  tally nothing;
  BOOST_TEST(!nothing.reaches(1, 300ms));
  BOOST_TEST((cpu_time() - spent < 30ms));
  BOOST_TEST(loop.stats().passes <= before.passes + 2);
  loop.cancel(far);
}

BOOST_AUTO_TEST_CASE(runs_what_is_ready_once_more_before_it_ends) {
  for (int round = 0; round != 200; ++round) {
    running_loop loop;
    std::atomic<int> called{0};
    probe source(phase::output, [&] { ++called; });
    loop.notify(source);
    loop.stop();
    BOOST_REQUIRE(called == 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::event_loop_test
