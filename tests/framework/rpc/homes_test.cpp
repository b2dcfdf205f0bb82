#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <map>
#include <string>
#include <vector>

// How a caller speaks to a server with several I/O loops, where each topic is at home on one.

namespace mailroom::tests::homes_test {
namespace {

using topics = std::vector<wire::topic_home>;

struct calling {
  explicit calling(std::size_t loops = 2, std::size_t attached = 2)
      : calling(
            loops, attached, {{"mailroom", "a", 0}, {"mailroom", "b", 1}, {"mailroom", "c", 1}}) {}

  calling(std::size_t loops, std::size_t attached, topics served) {
    rpc::connector::session_info agreed;
    agreed.address = "control://peer";
    agreed.node = "peer";
    for (std::size_t i = 0; i < loops; ++i) {
      agreed.data.push_back("data://" + std::to_string(i));
    }
    agreed.topics = std::move(served);
    front.on_loop([&] {
      front.connector().open_session(
          over, std::move(agreed), [this](const std::string&, const error* ended) {
            log += ended == nullptr ? "up " : "ended ";
          });
    });
    for (std::size_t i = 0; i < attached; ++i) {
      attach(i);
    }
  }
  ~calling() { front.close(); }

  void attach(std::size_t loop) {
    front.on_loop([&] { over.links[loop]->attach(); });
  }
  void announce(topics now) {
    front.on_loop([&] { front.connector().update_topics("control://peer", std::move(now)); });
  }
  void answer_fence(std::size_t loop, std::uint64_t number) {
    wire::batch batch(wire::plane::data);
    wire::write_fenced(batch, number);
    front.on_loop([&] { over.links[loop]->feed(batch.take()); });
  }
  void cut(std::size_t loop) {
    front.on_loop([&] {
      over.links[loop]->observer->on_closed(over.links[loop]->link, error(errc::lost, "cut"));
    });
  }
  bool is_closed(std::size_t loop) {
    bool closed = false;
    front.on_loop([&] { closed = over.links[loop]->link.closed; });
    return closed;
  }
  void write_reply(wire::batch& into, const std::string& word, int value) {
    wire::store(into.begin(wire::kind::reply, wire::id_head::size), ids.at(word));
    wire::pack(into.bytes(), value);
    into.finish();
  }
  void reply(std::size_t loop, const std::string& word, int value) {
    sent(loop);
    wire::batch batch(wire::plane::data);
    write_reply(batch, word, value);
    front.on_loop([&] { over.links[loop]->feed(batch.take()); });
  }
  // With a word as its argument, by which it is known.
  void call(const std::string& topic, const std::string& word) {
    out.push_back(front.client({.topic = topic}).future_call<int>("join", word));
    settle();
  }
  bool has_server(const std::string& topic) {
    auto got = front.client({.topic = topic}).future_call<int>("join", "?");
    settle();
    return got.wait_for(0s) != std::future_status::ready;
  }
  void settle() {
    for (int pass = 0; pass < 3; ++pass) {  // What was submitted is written and flushed by then.
      front.on_loop([] {});
    }
  }
  void stick(std::size_t loop, bool stuck) {
    front.on_loop([&] {
      over.links[loop]->link.stuck = stuck;
      if (!stuck) {
        over.links[loop]->observer->on_writable(over.links[loop]->link);
      }
    });
  }

  /// What went out on a link: the words of calls, and "|1" for the fence with the number 1.
  std::string sent(std::size_t loop) {
    settle();
    std::string all;
    front.on_loop([&] {
      for (const auto& frame : over.links[loop]->link.sent) {
        auto messages = wire::reader::open(frame.bytes(), wire::plane::data).value();
        wire::message one;
        while (messages.next(one).value()) {
          if (one.what == wire::kind::call) {
            const auto word =
                std::get<0>(wire::unpack<std::tuple<std::string>>(one.payload).value());
            all += word + " ";
            BOOST_TEST(wire::id_head::read(one.head, ids[word]));
          } else if (one.what == wire::kind::fence) {
            all += "|" + std::to_string(wire::load<std::uint64_t>(one.head.data())) + " ";
          }
        }
      }
    });
    return all;
  }
  std::size_t frames(std::size_t loop) {
    std::size_t all = 0;
    front.on_loop([&] { all = over.links[loop]->link.sent.size(); });
    return all;
  }

  std::string log;                           // Of the session.
  std::map<std::string, std::uint64_t> ids;  // Of calls that were sent, by their words.
  fake_transport over;
  std::vector<std::future<result<int>>> out;
  site front{"front"};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_homes)

BOOST_AUTO_TEST_CASE(calls_each_topic_by_the_link_to_its_loop) {
  calling s;
  s.call("a", "a1");
  s.call("b", "b1");
  s.call("c", "c1");
  s.call("a", "a2");
  BOOST_TEST(s.sent(0) == "a1 a2 ");
  BOOST_TEST(s.sent(1) == "b1 c1 ");
}

BOOST_AUTO_TEST_CASE(calls_by_the_first_link_what_is_at_home_nowhere) {
  calling s(2, 2, {{"mailroom", "a", 2}, {"mailroom", "b", UINT32_MAX}});
  s.call("a", "a1");
  s.call("b", "b1");
  BOOST_TEST(s.sent(0) == "a1 b1 ");
}

BOOST_AUTO_TEST_CASE(is_up_when_all_links_are_but_calls_by_those_that_are) {
  calling s(2, 1);
  BOOST_TEST(s.log == "");
  s.call("a", "a1");
  BOOST_TEST(s.sent(0) == "a1 ");
  BOOST_TEST(!s.has_server("b"));
  s.attach(1);
  BOOST_TEST(s.log == "up ");
  s.call("b", "b1");
  BOOST_TEST(s.sent(1) == "b1 ");
}

// They were lost: a server that stops says good-bye on one loop after the other.
BOOST_AUTO_TEST_CASE(ends_with_one_link_when_the_others_have_brought_their_answers) {
  calling s;
  s.call("a", "a1");
  s.call("b", "b1");
  s.call("b", "b2");
  s.cut(0);
  BOOST_TEST((s.out[0].get().error() == errc::lost));
  BOOST_TEST(s.log == "up ");
  BOOST_TEST(!s.has_server("b"));
  BOOST_TEST(s.sent(1) == "b1 b2 |1 ");
  s.reply(1, "b1", 7);
  BOOST_TEST(s.out[1].get().value() == 7);
  s.answer_fence(1, 1);
  BOOST_TEST(s.log == "up ended ");
  BOOST_TEST((s.out[2].get().error() == errc::lost));
  BOOST_TEST(s.is_closed(1));
}

BOOST_AUTO_TEST_CASE(ends_with_the_last_of_its_links) {
  calling s(3, 3, {{"mailroom", "a", 0}, {"mailroom", "b", 1}, {"mailroom", "c", 2}});
  s.call("b", "b1");
  s.cut(0);
  s.answer_fence(1, 1);
  BOOST_TEST(s.log == "up ");
  s.reply(1, "b1", 7);
  BOOST_TEST(s.out[0].get().value() == 7);
  s.cut(2);
  BOOST_TEST(s.log == "up ended ");
}

BOOST_AUTO_TEST_CASE(ends_although_a_link_never_came_up) {
  calling s(2, 1);
  s.cut(0);
  BOOST_TEST(s.log == "ended ");
  BOOST_TEST(s.is_closed(1));
}

BOOST_AUTO_TEST_CASE(ends_while_a_topic_moves) {
  calling s;
  s.announce({{"mailroom", "a", 1}, {"mailroom", "b", 1}});
  s.call("b", "b1");
  s.cut(0);
  BOOST_TEST(s.sent(1) == "b1 |2 ");
  s.answer_fence(1, 2);
  BOOST_TEST(s.log == "up ended ");
}

BOOST_AUTO_TEST_CASE(survives_answers_in_the_frame_that_ends_it) {
  calling s;
  s.call("b", "b1");
  s.cut(0);
  BOOST_TEST(s.sent(1) == "b1 |1 ");
  wire::batch batch(wire::plane::data);
  wire::write_fenced(batch, 1);
  s.write_reply(batch, "b1", 7);
  s.front.on_loop([&] { s.over.links[1]->feed(batch.take()); });
  BOOST_TEST(s.out[0].get().value() == 7);
  BOOST_TEST(s.log == "up ended ");
}

BOOST_AUTO_TEST_CASE(follows_a_topic_when_nothing_can_be_overtaken) {
  calling s;
  s.call("a", "a1");
  s.announce({{"mailroom", "a", 1}, {"mailroom", "b", 1}, {"mailroom", "c", 0}});
  BOOST_TEST(s.sent(0) == "a1 |1 ");
  BOOST_TEST(s.sent(1) == "|2 ");
  s.call("a", "a2");
  s.call("b", "b1");
  s.call("c", "c1");
  s.answer_fence(0, 1);
  BOOST_TEST(s.sent(0) == "a1 |1 ");
  BOOST_TEST(s.sent(1) == "|2 ");
  s.answer_fence(1, 7);  // Another.
  BOOST_TEST(s.sent(1) == "|2 ");
  s.answer_fence(1, 2);
  BOOST_TEST(s.sent(0) == "a1 |1 c1 ");
  BOOST_TEST(s.sent(1) == "|2 a2 b1 ");
  s.call("a", "a3");
  BOOST_TEST(s.sent(1) == "|2 a2 b1 a3 ");
}

BOOST_AUTO_TEST_CASE(goes_on_with_others_on_the_link_that_a_topic_leaves) {
  calling s;
  s.announce({{"mailroom", "a", 0}, {"mailroom", "b", 0}, {"mailroom", "c", 1}});
  s.call("c", "c1");
  s.call("b", "b1");
  BOOST_TEST(s.sent(1) == "|1 c1 ");
  BOOST_TEST(s.sent(0) == "");
  s.answer_fence(1, 1);
  BOOST_TEST(s.sent(0) == "b1 ");
}

// Fences that wait for each other would never be sent.
BOOST_AUTO_TEST_CASE(lets_a_topic_move_once_at_a_time) {
  calling s;
  const auto home = [&](std::uint32_t loop) {
    s.announce({{"mailroom", "a", loop}, {"mailroom", "b", 1}, {"mailroom", "c", 1}});
  };
  home(1);
  s.call("a", "a1");
  home(0);
  s.call("a", "a2");
  home(1);
  home(0);
  s.call("a", "a3");
  BOOST_TEST(s.sent(0) == "|1 ");
  BOOST_TEST(s.sent(1) == "");
  s.answer_fence(0, 1);
  BOOST_TEST(s.sent(1) == "a1 a2 a3 |2 ");  // It has been told of the last home meanwhile.
  s.call("a", "a4");
  BOOST_TEST(s.sent(0) == "|1 ");
  home(1);
  s.answer_fence(1, 2);
  BOOST_TEST(s.sent(0) == "|1 a4 |3 ");
  home(0);
  s.answer_fence(0, 3);
  s.answer_fence(1, 4);
  home(0);
  s.call("a", "a5");
  BOOST_TEST(s.sent(0) == "|1 a4 |3 a5 ");
}

BOOST_AUTO_TEST_CASE(stays_on_the_old_link_until_the_new_one_is_up) {
  calling s(2, 1);
  s.announce({{"mailroom", "a", 1}});
  s.call("a", "a1");
  BOOST_TEST(s.sent(0) == "a1 ");
  s.attach(1);
  s.call("a", "a2");
  BOOST_TEST(s.sent(0) == "a1 |1 ");
  s.answer_fence(0, 1);
  BOOST_TEST(s.sent(1) == "a2 ");
}

BOOST_AUTO_TEST_CASE(forgets_a_topic_that_is_served_no_more_while_it_moves) {
  calling s;
  s.announce({{"mailroom", "a", 1}});
  s.call("a", "a1");
  s.announce({});
  BOOST_TEST(!s.has_server("a"));
  s.answer_fence(0, 1);
  BOOST_TEST(s.sent(1) == "a1 ");
  BOOST_TEST(!s.has_server("a"));
}

BOOST_AUTO_TEST_CASE(sends_what_stood_before_a_fence_even_late) {
  calling s;
  s.stick(1, true);
  s.call("b", "b1");
  s.announce({{"mailroom", "a", 1}, {"mailroom", "b", 0}});
  s.call("a", "a1");
  s.call("b", "b2");
  s.stick(1, false);
  BOOST_TEST(s.sent(1) == "b1 |2 ");
  s.answer_fence(0, 1);
  s.answer_fence(1, 2);
  BOOST_TEST(s.sent(0) == "|1 b2 ");
  BOOST_TEST(s.sent(1) == "b1 |2 a1 ");
}

BOOST_AUTO_TEST_CASE(holds_in_frames_that_the_server_takes) {
  calling s;
  s.announce({{"mailroom", "a", 1}});
  const std::string word(10'000, 'x');
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    s.call("a", word);
    expected += word + " ";
  }
  BOOST_TEST(s.frames(1) == 1U);  // Attach.
  s.answer_fence(0, 1);
  BOOST_TEST((s.sent(1) == expected));
  BOOST_TEST(s.frames(1) > 3U);
}

BOOST_AUTO_TEST_CASE(sends_what_it_holds_when_it_closes) {
  calling s;
  s.announce({{"mailroom", "a", 1}});
  s.call("a", "a1");
  s.front.on_loop([&] { s.front.connector().close(); });
  BOOST_TEST(s.sent(1) == "a1 ");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::homes_test
