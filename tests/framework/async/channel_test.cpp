#include <mailroom/tests/framework/async/hand_home.hpp>

#include <mailroom/framework/async/channel.hpp>
#include <mailroom/framework/async/wait.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::tests::channel_test {
namespace {

// Sends, or receives, in its own flow, and notes what it came to.
struct sending {
  sending(hand_home& home, channel<int>& to, int value, bool on_fiber = false) : flow(home) {
    if (on_fiber) {
      flow.start_fiber([this, &to, value] { note(mailroom::wait(to.send(value))); });
    } else {
      flow.start_coroutine([this, &to, value]() -> task<void> { note(co_await to.send(value)); });
    }
  }
  void note(const result<void>& outcome) { said = outcome ? "sent" : outcome.error().to_string(); }

  hand_flow flow;
  std::string said;
};

struct receiving {
  receiving(hand_home& home, channel<int>& from, bool on_fiber = false) : flow(home) {
    if (on_fiber) {
      flow.start_fiber([this, &from] { note(mailroom::wait(from.receive())); });
    } else {
      flow.start_coroutine([this, &from]() -> task<void> { note(co_await from.receive()); });
    }
  }
  void note(const result<int>& outcome) {
    said = outcome ? std::to_string(*outcome) : outcome.error().to_string();
  }

  hand_flow flow;
  std::string said;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(async_channel)

BOOST_AUTO_TEST_CASE(keeps_values_in_the_order_of_sending) {
  hand_home home;
  channel<int> c(3);
  for (int i = 1; i <= 3; ++i) {
    BOOST_TEST(sending(home, c, i).said == "sent");
  }
  BOOST_TEST(c.size() == 3U);
  for (int i = 1; i <= 3; ++i) {
    BOOST_TEST(receiving(home, c, i % 2 == 0).said == std::to_string(i));
  }
}

BOOST_AUTO_TEST_CASE(lets_senders_wait_while_it_is_full) {
  hand_home home;
  channel<int> c(1);
  const sending first(home, c, 1);
  const sending second(home, c, 2);
  const sending third(home, c, 3, true);
  BOOST_TEST(first.said == "sent");
  BOOST_TEST(second.said.empty());
  BOOST_TEST(!c.try_send(4));
  BOOST_TEST(receiving(home, c).said == "1");
  home.run_all();
  BOOST_TEST(second.said == "sent");
  BOOST_TEST(third.said.empty());
  BOOST_TEST(receiving(home, c).said == "2");
  home.run_all();
  BOOST_TEST(third.said == "sent");
  BOOST_TEST(c.size() == 1U);
  BOOST_TEST(c.try_receive().value() == 3);
}

BOOST_AUTO_TEST_CASE(lets_receivers_wait_while_it_is_empty) {
  hand_home home;
  channel<int> c(1);
  const receiving first(home, c, true);
  const receiving second(home, c);
  BOOST_TEST(first.said.empty());
  BOOST_TEST(c.try_send(1));
  BOOST_TEST(c.try_send(2));
  BOOST_TEST(c.size() == 0U);
  home.run_all();
  BOOST_TEST(first.said == "1");
  BOOST_TEST(second.said == "2");
}

BOOST_AUTO_TEST_CASE(goes_from_hand_to_hand_without_room) {
  hand_home home;
  channel<int> c(0);
  const sending first(home, c, 1);
  BOOST_TEST(first.said.empty());
  BOOST_TEST(!c.try_send(9));
  BOOST_TEST(receiving(home, c).said == "1");
  home.run_all();
  BOOST_TEST(first.said == "sent");
  const receiving later(home, c, true);
  BOOST_TEST(sending(home, c, 2).said == "sent");
  home.run_all();
  BOOST_TEST(later.said == "2");
  BOOST_TEST(!c.try_receive());
}

BOOST_AUTO_TEST_CASE(tells_who_waits_when_it_is_closed) {
  hand_home home;
  channel<int> full(1);
  channel<int> empty(1);
  BOOST_TEST(full.try_send(1));
  const sending sender(home, full, 2);
  const receiving receiver(home, empty, true);
  full.close();
  empty.close();
  home.run_all();
  BOOST_TEST(sender.said.starts_with("cancelled"), sender.said);
  BOOST_TEST(receiver.said.starts_with("cancelled"), receiver.said);
}

BOOST_AUTO_TEST_CASE(can_be_emptied_after_it_is_closed) {
  hand_home home;
  channel<int> c(2);
  BOOST_TEST(c.try_send(1));
  c.close();
  BOOST_TEST(c.is_closed());
  BOOST_TEST(!c.try_send(2));
  BOOST_TEST(sending(home, c, 2, true).said.starts_with("cancelled"));
  BOOST_TEST(receiving(home, c).said == "1");
  BOOST_TEST(receiving(home, c).said.starts_with("cancelled"));
  BOOST_TEST(!c.try_receive());
}

BOOST_AUTO_TEST_CASE(leaves_what_it_did_not_take) {
  channel<std::unique_ptr<int>> c(1);
  BOOST_TEST(c.try_send(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  BOOST_TEST(!c.try_send(std::move(second)));
  BOOST_TEST_REQUIRE(second);
  BOOST_TEST(*second == 2);
  BOOST_TEST(**c.try_receive() == 1);
}

BOOST_AUTO_TEST_CASE(carries_what_only_moves) {
  hand_home home;
  hand_flow from(home);
  hand_flow to(home);
  channel<std::unique_ptr<int>> c(0);
  int got = 0;
  to.start_coroutine([&]() -> task<void> { got = **co_await c.receive(); });
  from.start_fiber([&] { mailroom::wait(c.send(std::make_unique<int>(7))).value(); });
  home.run_all();
  BOOST_TEST(got == 7);
}

BOOST_AUTO_TEST_CASE(is_left_by_senders_that_are_cancelled) {
  hand_home home;
  hand_home leaving;
  channel<int> c(1);
  BOOST_TEST(c.try_send(1));
  const sending gone(leaving, c, 2);
  const sending gone_too(leaving, c, 3, true);
  const sending stays(home, c, 4);
  leaving.end();
  BOOST_TEST(gone.flow.was_cancelled());
  BOOST_TEST(gone_too.flow.was_cancelled());
  BOOST_TEST(c.try_receive().value() == 1);
  BOOST_TEST(c.try_receive().value() == 4);
  BOOST_TEST(!c.try_receive());
  home.run_all();
  BOOST_TEST(stays.said == "sent");
}

BOOST_AUTO_TEST_CASE(is_left_by_receivers_that_are_cancelled) {
  hand_home home;
  hand_home leaving;
  channel<int> c(1);
  const receiving gone(leaving, c);
  const receiving gone_too(leaving, c, true);
  const receiving stays(home, c);
  leaving.end();
  BOOST_TEST(gone.flow.was_cancelled());
  BOOST_TEST(gone_too.flow.was_cancelled());
  BOOST_TEST(c.try_send(1));
  home.run_all();
  BOOST_TEST(stays.said == "1");
}

// A value that was handed over before the cancel came is received, and not lost.
BOOST_AUTO_TEST_CASE(loses_nothing_to_a_cancel_between_two_hands) {
  hand_home leaving;
  channel<int> c(1);
  const receiving last(leaving, c);
  BOOST_TEST(c.try_send(1));
  leaving.end();
  BOOST_TEST(last.said == "1");
}

BOOST_AUTO_TEST_CASE(delivers_each_value_once_among_many_threads) {
  constexpr int producers = 2;
  constexpr int consumers = 2;
  constexpr int each_sends = under_tsan ? 500 : 5000;
  channel<int> c(7);
  std::atomic<int> producing{producers};
  std::vector<std::vector<int>> got(consumers);
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      hand_home home;
      hand_flow flow(home);
      flow.start_coroutine([&]() -> task<void> {
        for (int i = 0; i < each_sends; ++i) {
          (co_await c.send(p * each_sends + i)).value();
        }
        if (--producing == 0) {
          c.close();
        }
      });
      while (!flow.ended) {
        home.wait_and_run();
      }
    });
  }
  for (int r = 0; r < consumers; ++r) {
    threads.emplace_back([&, r] {
      hand_home home;
      hand_flow flow(home);
      auto& mine = got[static_cast<std::size_t>(r)];
      flow.start_fiber([&] {
        while (const auto value = mailroom::wait(c.receive())) {
          mine.push_back(*value);
        }
      });
      while (!flow.ended) {
        home.wait_and_run();
      }
    });
  }
  for (auto& each : threads) {
    each.join();
  }
  std::vector<int> seen(producers * each_sends, 0);
  for (const auto& mine : got) {
    std::vector<int> last(producers, -1);
    for (const int value : mine) {
      ++seen[static_cast<std::size_t>(value)];
      auto& before = last[static_cast<std::size_t>(value / each_sends)];
      BOOST_REQUIRE(before < value);  // In the order in which one sender sent them.
      before = value;
    }
  }
  BOOST_TEST(std::count(seen.begin(), seen.end(), 1) == producers * each_sends);
}

BOOST_AUTO_TEST_CASE(loses_nothing_when_a_value_and_a_cancel_come_at_the_same_time) {
  constexpr int rounds = 2000;
  channel<int> c(1);
  starting_line begin;
  starting_line end;
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      begin.meet(i);
      c.try_send(i);
      end.meet(i);
    }
  });
  int received = 0;
  for (int i = 0; i < rounds; ++i) {
    hand_home home;
    const receiving one(home, c, i % 2 == 0);
    begin.meet(i);
    home.end();
    end.meet(i);
    home.run_all();
    BOOST_REQUIRE(one.flow.ended);
    if (one.said.empty()) {
      BOOST_REQUIRE(c.try_receive().value_or(-1) == i);
    } else {
      BOOST_REQUIRE(one.said == std::to_string(i));
      ++received;
    }
  }
  other.join();
  BOOST_TEST_MESSAGE(received << " of " << rounds << " were received");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::channel_test
