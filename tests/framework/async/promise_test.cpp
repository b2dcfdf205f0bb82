#include <mailroom/tests/framework/async/hand_home.hpp>

#include <mailroom/framework/async/promise.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace mailroom::tests::promise_test {
namespace {

// Waits for it in a flow of its own, and notes what it came to.
struct taking {
  taking(hand_home& home, future<std::string> what, bool on_fiber)
      : awaited(std::move(what)), flow(home) {
    if (on_fiber) {
      flow.start_fiber([this] { note(mailroom::wait(awaited)); });
    } else {
      flow.start_coroutine([this]() -> task<void> { note(co_await awaited); });
    }
  }
  void note(const result<std::string>& outcome) {
    said = outcome ? *outcome : outcome.error().to_string();
  }

  future<std::string> awaited;
  hand_flow flow;
  std::string said;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(async_promise)

BOOST_AUTO_TEST_CASE(is_kept_before_or_after_somebody_waits) {
  for (const bool on_fiber : {false, true}) {
    hand_home home;
    promise<std::string> before;
    BOOST_TEST(before.set(std::string("there")));
    auto ready = before.get_future();
    BOOST_TEST(ready.is_ready());
    BOOST_TEST(taking(home, std::move(ready), on_fiber).said == "there");

    promise<std::string> after;
    const taking waits(home, after.get_future(), on_fiber);
    BOOST_TEST(!waits.awaited.is_ready());
    BOOST_TEST(waits.said == "");
    std::thread([&] { after.set(std::string("later")); }).join();
    home.run_all();
    BOOST_TEST(waits.said == "later");
  }
}

BOOST_AUTO_TEST_CASE(is_kept_once_by_a_value_or_an_error) {
  hand_home home;
  promise<std::string> fails;
  BOOST_TEST(fails.set(error(errc::expired, "too late")));
  BOOST_TEST(!fails.set(std::string("after all")));
  BOOST_TEST(taking(home, fails.get_future(), false).said == "expired: too late");
  BOOST_CHECK_THROW((void)fails.get_future(), std::logic_error);
}

BOOST_AUTO_TEST_CASE(that_is_dropped_tells_who_waits) {
  for (const bool on_fiber : {false, true}) {
    hand_home home;
    std::optional<promise<std::string>> dropped(std::in_place);
    const taking waits(home, dropped->get_future(), on_fiber);
    promise<std::string> moved(*std::move(dropped));
    dropped.reset();
    home.run_all();
    BOOST_TEST(waits.said == "");
    promise<std::string> other;
    moved = std::move(other);
    home.run_all();
    BOOST_TEST(waits.said == "cancelled: the promise was dropped: nobody gives the value");
  }
}

BOOST_AUTO_TEST_CASE(may_be_kept_when_nobody_waits_any_more) {
  promise<std::string> kept;
  for (const bool on_fiber : {false, true}) {
    hand_home home;
    kept = promise<std::string>();
    {
      const taking waits(home, kept.get_future(), on_fiber);
      home.end();
      BOOST_TEST(waits.said == "");
    }
    BOOST_TEST(kept.set(std::string("for nobody")));
  }
}

BOOST_AUTO_TEST_CASE(gives_its_value_once) {
  hand_home home;
  promise<std::string> once;
  const auto awaited = once.get_future();
  once.set(std::string("mine"));
  std::string said;
  hand_flow flow(home);
  flow.start_coroutine([&]() -> task<void> {
    said = (co_await awaited).value();
    try {
      static_cast<void>(co_await awaited);
    } catch (const std::logic_error& thrown) {
      said += std::string(", ") + thrown.what();
    }
  });
  BOOST_TEST(said == "mine, awaited twice: the value was given to who awaited it first");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::promise_test
