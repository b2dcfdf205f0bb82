#include <mailroom/tests/framework/async/hand_home.hpp>

#include <mailroom/framework/async/channel.hpp>
#include <mailroom/framework/async/mutex.hpp>
#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/thread_home.hpp>
#include <mailroom/framework/async/wait_for.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::tests::thread_home_test {
namespace {

// A flow with the calling thread to itself.
struct thread_flow {
  explicit thread_flow(hand_home& endpoint) : home(endpoint) {
    flow.where = &home;
    flow.how = async::style::blocking;
    flow.on = &home;
    flow.name = "test.blocking";
  }
  bool run(const std::function<void()>& body) {
    const async::flow_scope scope(&flow);
    try {
      body();
    } catch (const async::flow_cancelled&) {
      home.finish();
      return false;
    }
    home.finish();
    return true;
  }

  async::thread_home home;
  async::flow flow;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(async_thread_home)

BOOST_AUTO_TEST_CASE(waits_for_what_another_thread_completes) {
  hand_home endpoint;
  for (int i = 0; i < 500; ++i) {
    thread_flow here(endpoint);
    const auto what = std::make_unique<async::event>();
    std::thread other([raw = what.get()] { raw->complete(); });
    BOOST_REQUIRE(here.run([&] { BOOST_REQUIRE(async::wait(*what)); }));
    other.join();
  }
}

BOOST_AUTO_TEST_CASE(runs_tasks_and_fibers_on_its_own_thread) {
  hand_home endpoint;
  thread_flow here(endpoint);
  const auto own = std::this_thread::get_id();
  async::event first;
  async::event second;
  std::thread other([&] {
    first.complete();
    second.complete();
  });
  int sum = 0;
  BOOST_TEST(here.run([&] {
    const auto part = [&]() -> task<int> {
      co_await async::until(first);
      BOOST_TEST((std::this_thread::get_id() == own));
      co_return 1;
    };
    const auto on_its_fiber = [&] {
      const int got = mailroom::wait(value_after(second, 20));
      BOOST_TEST((std::this_thread::get_id() == own));
      return got;
    };
    const auto [a, b] = mailroom::wait(gather(part(), on_fiber(on_its_fiber)));
    sum = a + b;
  }));
  other.join();
  BOOST_TEST(sum == 21);
}

BOOST_AUTO_TEST_CASE(takes_its_time_from_its_endpoint) {
  hand_home endpoint;
  async::event never;
  std::atomic<bool> ended{false};
  std::thread other([&] {
    thread_flow here(endpoint);
    here.run([&] { BOOST_TEST(!mailroom::wait(value_after(never, 1), 10ms)); });
    ended = true;
  });
  while (endpoint.armed() == 0U) {
    std::this_thread::yield();
  }
  while (!ended) {
    endpoint.pass(10ms);
  }
  other.join();
  BOOST_TEST(endpoint.armed() == 0U);
}

BOOST_AUTO_TEST_CASE(locks_and_receives) {
  hand_home endpoint;
  mailroom::mutex m;
  channel<int> c(1);
  auto held = m.try_lock();
  std::thread other([&] {
    held.unlock();
    while (!c.try_send(7)) {
      std::this_thread::yield();
    }
  });
  thread_flow here(endpoint);
  int got = 0;
  BOOST_TEST(here.run([&] {
    const auto mine = mailroom::wait(m.lock());
    got = mailroom::wait(c.receive()).value();
  }));
  other.join();
  BOOST_TEST(got == 7);
}

BOOST_AUTO_TEST_CASE(is_ended_from_another_thread_while_it_waits) {
  hand_home endpoint;
  for (int i = 0; i < 200; ++i) {
    thread_flow here(endpoint);
    async::event never;
    int unwound = 0;
    std::thread other([&] { here.home.end(); });
    const bool went_on = here.run([&] {
      const witness outer(unwound);
      const auto part = [&]() -> task<void> {
        const witness inner(unwound);
        co_await async::until(never);
      };
      mailroom::wait(part());
    });
    other.join();
    BOOST_REQUIRE(!went_on);
    BOOST_REQUIRE(unwound == 2);
  }
}

BOOST_AUTO_TEST_CASE(throws_at_every_wait_once_it_is_ended) {
  hand_home endpoint;
  thread_flow here(endpoint);
  async::event never;
  int cancelled = 0;
  here.home.end();
  here.run([&] {
    for (int i = 0; i < 3; ++i) {
      try {
        async::wait(never);
      } catch (const async::flow_cancelled&) {
        ++cancelled;
      }
    }
  });
  BOOST_TEST(cancelled == 3);
}

BOOST_AUTO_TEST_CASE(keeps_what_was_caught_while_it_waits) {
  hand_home endpoint;
  thread_flow here(endpoint);
  async::event go;
  std::thread other([&] { go.complete(); });
  std::vector<std::string> said;
  BOOST_TEST(here.run([&] {
    const auto part = [&]() -> task<void> {
      BOOST_TEST(!std::current_exception());
      co_await async::until(go);
      BOOST_TEST(!std::current_exception());
      try {
        throw std::runtime_error("inside");
      } catch (const std::runtime_error& thrown) {
        said.emplace_back(thrown.what());
      }
    };
    try {
      throw std::runtime_error("outside");
    } catch (const std::runtime_error&) {
      mailroom::wait(part());
      try {
        throw;
      } catch (const std::runtime_error& thrown) {
        said.emplace_back(thrown.what());
      }
    }
  }));
  other.join();
  const std::vector<std::string> expected{"inside", "outside"};
  BOOST_TEST(said == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(stays_for_what_is_shielded) {
  hand_home endpoint;
  thread_flow here(endpoint);
  async::event go;
  std::stop_source stop;
  int unwound = 0;
  std::promise<void> begun;
  std::promise<void> left;
  std::thread other([&] {
    begun.get_future().wait();
    stop.request_stop();
    left.get_future().wait();
    go.complete();
  });
  BOOST_TEST(here.run([&] {
    const auto part = [](std::promise<void>& tell, async::event& what, int& count) -> task<int> {
      const witness frame(count);
      tell.set_value();
      co_await async::until(what);
      co_return 1;
    };
    BOOST_TEST(!mailroom::wait(shield(part(begun, go, unwound)), stop.get_token()));
    left.set_value();
  }));
  other.join();
  BOOST_TEST(unwound == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::thread_home_test
