#include <mailroom/tests/framework/async/hand_home.hpp>

#include <boost/test/unit_test.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::tests::fiber_test {
namespace {

std::string said_by_current_exception() {
  try {
    throw;
  } catch (const std::exception& thrown) {
    return thrown.what();
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(async_fiber)

BOOST_AUTO_TEST_CASE(runs_at_once_until_it_first_waits) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int step = 0;
  flow.start_fiber([&] {
    step = 1;
    BOOST_TEST(async::wait(go));
    step = 2;
  });
  BOOST_TEST(step == 1);
  go.complete();
  BOOST_TEST(step == 1);  // It continues in a turn of its home, not where the event came from.
  home.run_all();
  BOOST_TEST(step == 2);
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(does_not_wait_for_what_is_done) {
  hand_home home;
  hand_flow flow(home);
  async::event done;
  done.complete();
  flow.start_fiber([&] { async::wait(done); });
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(knows_its_flow_after_every_switch) {
  hand_home home;
  hand_flow one(home);
  hand_flow two(home);
  async::event first;
  async::event second;
  const auto body = [](hand_flow& mine, async::event& what) {
    BOOST_TEST(async::current_flow() == &mine.flow());
    async::wait(what);
    BOOST_TEST(async::current_flow() == &mine.flow());
  };
  one.start_fiber([&] { body(one, first); });
  BOOST_TEST(async::current_flow() == nullptr);
  two.start_fiber([&] { body(two, second); });
  second.complete();
  first.complete();
  home.run_all();
  BOOST_TEST(async::current_flow() == nullptr);
  BOOST_TEST(one.ended);
  BOOST_TEST(two.ended);
}

BOOST_AUTO_TEST_CASE(keeps_the_exceptions_in_flight_of_two_fibers_apart) {
  hand_home home;
  hand_flow one(home);
  hand_flow two(home);
  async::event first;
  async::event second;
  std::vector<std::string> said;
  const auto body = [&said](const std::string& words, async::event& what) {
    try {
      throw std::runtime_error(words);
    } catch (const std::exception&) {
      async::wait(what);
      said.push_back(said_by_current_exception());
    }
    BOOST_TEST(!std::current_exception());
  };
  one.start_fiber([&] { body("one", first); });
  two.start_fiber([&] { body("two", second); });
  BOOST_TEST(!std::current_exception());
  first.complete();
  home.run_all();
  second.complete();
  home.run_all();
  BOOST_TEST(one.ended);
  BOOST_TEST(two.ended);
  const std::vector<std::string> expected{"one", "two"};
  BOOST_TEST(said == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(leaves_the_resumers_exception_in_flight_alone) {
  hand_home home;
  hand_flow flow(home);
  async::event go;
  flow.start_fiber([&] {
    try {
      throw std::runtime_error("inside");
    } catch (const std::exception&) {
      async::wait(go);
      BOOST_TEST(said_by_current_exception() == "inside");
    }
  });
  go.complete();
  try {
    throw std::runtime_error("outside");
  } catch (const std::exception&) {
    home.run_all();
    BOOST_TEST(said_by_current_exception() == "outside");
  }
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_CASE(counts_uncaught_exceptions_for_itself) {
  struct waits_while_unwinding {
    async::event& what;
    int& seen;
    ~waits_while_unwinding() {
      async::wait(what);
      seen = std::uncaught_exceptions();
    }
  };
  hand_home home;
  hand_flow flow(home);
  async::event go;
  int seen = -1;
  flow.start_fiber([&] {
    const waits_while_unwinding guard{go, seen};
    throw std::runtime_error("unwinding");
  });
  BOOST_TEST(std::uncaught_exceptions() == 0);
  go.complete();
  home.run_all();
  BOOST_TEST(seen == 1);
  BOOST_CHECK_THROW(std::rethrow_exception(flow.thrown), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(runs_destructors_when_it_is_cancelled) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  int gone = 0;
  flow.start_fiber([&] {
    const witness outer(gone);
    const auto deeper = [&] {
      const witness inner(gone);
      async::wait(never);
    };
    deeper();
  });
  home.end();
  BOOST_TEST(gone == 2);
  BOOST_TEST(flow.was_cancelled());
}

BOOST_AUTO_TEST_CASE(can_start_fibers) {
  hand_home home;
  hand_flow outer(home);
  hand_flow inner(home);
  async::event first;
  async::event second;
  std::vector<std::string> log;
  outer.start_fiber([&] {
    inner.start_fiber([&] {
      log.emplace_back("inner waits");
      async::wait(first);
      log.emplace_back("inner ends");
    });
    log.emplace_back("outer waits");
    async::wait(second);
    log.emplace_back("outer ends");
  });
  second.complete();
  home.run_all();
  first.complete();
  home.run_all();
  const std::vector<std::string> expected{"inner waits", "outer waits", "outer ends", "inner ends"};
  BOOST_TEST(log == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(can_be_suspended_ten_thousand_at_once) {
  constexpr std::size_t many = under_tsan ? 500 : 10'000;
  hand_home home;
  std::vector<async::event> gates(many);
  std::vector<std::unique_ptr<hand_flow>> flows;
  std::size_t ended = 0;
  for (auto& gate : gates) {
    flows.push_back(std::make_unique<hand_flow>(home));
    flows.back()->start_fiber([&] {
      async::wait(gate);
      ++ended;
    });
  }
  BOOST_TEST(ended == 0U);
  for (auto& gate : gates) {
    gate.complete();
  }
  home.run_all();
  BOOST_TEST(ended == many);
}

BOOST_AUTO_TEST_CASE(uses_its_stack_again_and_again) {
  constexpr std::size_t many = under_tsan ? 300 : 20'000;  // It tells fibers apart at a price.
  hand_home home;
  std::size_t ended = 0;
  for (std::size_t i = 0; i < many; ++i) {
    hand_flow flow(home);
    async::event go;
    flow.start_fiber([&] {
      async::wait(go);
      ++ended;
    });
    go.complete();
    home.run_all();
  }
  BOOST_TEST(ended == many);
}

BOOST_AUTO_TEST_CASE(is_not_used_by_a_thread_of_no_actor_which_blocks_instead) {
  async::event go;
  std::thread other([&] { go.complete(); });
  BOOST_TEST(async::wait(go));
  other.join();
}

BOOST_AUTO_TEST_CASE(is_needed_to_wait_in_a_handler) {
  hand_home home;
  hand_flow flow(home);
  async::event never;
  bool waited = true;
  flow.start_coroutine([&]() -> task<void> {
    waited = async::wait(never);
    co_return;
  });
  BOOST_TEST(!waited);
  BOOST_TEST(flow.ended);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::fiber_test
