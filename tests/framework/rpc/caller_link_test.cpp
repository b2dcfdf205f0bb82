#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/wire/messages.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

// The other end of a data link: what a server may do to those who call it.

namespace mailroom::tests::caller_link_test {
namespace {

using frame_bytes = std::vector<std::byte>;

struct calling {
  calling() {
    for (int i = 0; i < 2; ++i) {
      rpc::connector::session_info agreed;
      agreed.address = "control://" + std::to_string(i);
      agreed.node = std::to_string(i);
      agreed.data = {"data://" + agreed.node};
      agreed.max_body = i == 0 ? 100 : 1000;
      agreed.topics.push_back({"mailroom", "waiting", 0});
      front.on_loop([&] {
        front.connector().open_session(over, std::move(agreed), {});
        over.links.back()->attach();
      });
    }
  }
  ~calling() { front.close(); }

  std::future<result<int>> call(const std::string& server, const std::string& method = "join") {
    return front.client({.topic = "waiting"})
        .prepare({.server = server})
        .future_call<int>(method, 1);
  }
  /// What the server with this number has received.
  struct seen {
    std::vector<std::uint64_t> ids;           ///< Of calls.
    std::vector<std::uint32_t> declared;      ///< Numbers of routes.
    std::vector<std::string> methods_called;  ///< As the routes name them.
    std::size_t casts = 0;
  };
  seen received(std::size_t server) {
    seen found;
    for (int pass = 0; pass < 3; ++pass) {  // What was submitted is written and flushed by then.
      front.on_loop([&] {
        found = {};
        std::map<std::uint32_t, std::string> names;
        for (const auto& frame : over.links[server]->link.sent) {
          auto messages = wire::reader::open(frame.bytes(), wire::plane::data).value();
          wire::message one;
          while (messages.next(one).value()) {
            wire::call_head head;
            if (one.what == wire::kind::call && wire::call_head::read(one.head, head)) {
              found.ids.push_back(head.id);
              found.methods_called.push_back(names[head.route]);
            } else if (one.what == wire::kind::cast) {
              ++found.casts;
            } else if (one.what == wire::kind::route) {
              const auto route = wire::read_route(one).value();
              found.declared.push_back(route.number);
              names[route.number] = route.method;
            }
          }
        }
      });
    }
    return found;
  }
  std::vector<std::uint64_t> ids(std::size_t server) { return received(server).ids; }
  void reply(std::size_t server, std::uint64_t id, int value) {
    wire::batch batch(wire::plane::data);
    wire::store(batch.begin(wire::kind::reply, wire::id_head::size), id);
    wire::pack(batch.bytes(), value);
    batch.finish();
    front.on_loop([&] { over.links[server]->feed(batch.take()); });
  }
  void feed(std::size_t server, const frame_bytes& bytes) {
    wire::buffer copy;
    copy.append(std::span(bytes));
    front.on_loop([&] { over.links[server]->feed(std::move(copy)); });
  }
  bool closed(std::size_t server) {
    bool answer = false;
    front.on_loop([&] { answer = over.links[server]->link.closed; });
    return answer;
  }

  fake_transport over;
  site front{"front"};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_data_link_of_the_caller)

// They were numbered once for all links, so that a link saw gaps.
BOOST_AUTO_TEST_CASE(numbers_the_routes_of_each_link_from_nought_without_gaps) {
  calling s;
  std::vector<std::future<result<int>>> out;
  const std::vector<std::string> first{"a", "b", "a", "c"};
  const std::vector<std::string> second{"d", "b", "e", "d"};
  for (const auto& method : first) {
    out.push_back(s.call("0", method));
  }
  for (const auto& method : second) {
    out.push_back(s.call("1", method));
  }
  for (const std::size_t server : {0U, 1U}) {
    const auto seen = s.received(server);
    BOOST_TEST(seen.declared == (std::vector<std::uint32_t>{0, 1, 2}),
               boost::test_tools::per_element());
    BOOST_TEST(seen.methods_called == (server == 0 ? first : second),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(is_chosen_by_its_topics_in_whatever_order_it_tells_them) {
  calling s;
  s.front.on_loop([&] {
    s.front.connector().update_topics("control://1",
                                      {{"mailroom", "z", 0},
                                       {"other", "a", 0},
                                       {"mailroom", "waiting", 0},
                                       {"mailroom", "b", 0}});
  });
  std::vector<std::future<result<int>>> out;
  const std::vector<target> served{
      {.topic = "z"}, {.exchange = "other", .topic = "a"}, {.topic = "b"}};
  for (const auto& each : served) {
    out.push_back(s.front.client(each).future_call<int>("join", 1));
    BOOST_TEST(s.ids(1).size() == out.size());
  }
  BOOST_TEST(s.ids(0).empty());
  for (const auto& each : {target{.topic = "a"}, target{.exchange = "other", .topic = "z"}}) {
    BOOST_TEST((s.front.client(each).call<int>("join", 1).error() == errc::no_server));
  }
}

BOOST_AUTO_TEST_CASE(takes_the_answer_to_a_call) {
  calling s;
  auto got = s.call("0");
  const auto ids = s.ids(0);
  BOOST_TEST_REQUIRE(ids.size() == 1U);
  s.reply(0, ids[0], 42);
  BOOST_TEST(got.get().value() == 42);
}

BOOST_AUTO_TEST_CASE(counts_answers_that_nobody_waits_for) {
  calling s;
  s.reply(0, 0, 1);
  s.reply(0, 1, 1);
  s.reply(0, UINT64_MAX, 1);
  BOOST_TEST(s.front.connector().counts().late.load() == 3U);
  auto got = s.call("0");
  const auto ids = s.ids(0);
  s.reply(0, ids.at(0), 1);
  s.reply(0, ids.at(0), 2);  // A second answer to the same call.
  BOOST_TEST(got.get().value() == 1);
  BOOST_TEST(s.front.connector().counts().late.load() == 4U);
  BOOST_TEST(!s.closed(0));
}

BOOST_AUTO_TEST_CASE(takes_an_answer_only_from_the_server_that_was_asked) {
  calling s;
  auto got = s.call("0");
  const auto ids = s.ids(0);
  s.reply(1, ids.at(0), 666);
  s.reply(0, ids.at(0), 1);
  BOOST_TEST(got.get().value() == 1);
}

BOOST_AUTO_TEST_CASE(ends_with_its_calls_on_garbage) {
  std::mt19937_64 random(31415);
  for (int i = 0; i < 100; ++i) {
    calling s;
    auto lost = s.call("0");
    auto kept = s.call("1");
    const auto ids = s.ids(1);
    frame_bytes noise(random() % 100);
    for (auto& each : noise) {
      each = static_cast<std::byte>(random());
    }
    s.feed(0, noise);
    BOOST_TEST(s.closed(0));
    BOOST_TEST((lost.get().error() == errc::lost));
    s.reply(1, ids.at(0), 1);
    BOOST_TEST(kept.get().value() == 1);
  }
}

BOOST_AUTO_TEST_CASE(survives_all_vectors_and_their_mutations) {
  std::mt19937_64 random(1618);
  for (const auto& each : read_vectors(MAILROOM_VECTORS)) {
    for (int i = 0; i < 4; ++i) {
      auto frame = each.frame;
      if (i != 0 && !frame.empty()) {
        frame[random() % frame.size()] = static_cast<std::byte>(random());
      }
      calling one;
      auto got = one.call("0");
      one.feed(0, frame);
      auto kept = one.call("1");
      const auto ids = one.ids(1);
      one.reply(1, ids.at(0), 1);
      BOOST_TEST(kept.get().value() == 1);
    }
  }
}

// The first refusal ended the cast, and who had waited for it read what the second then wrote.
BOOST_AUTO_TEST_CASE(ends_a_fanout_once_however_many_refuse_it) {
  calling s;
  const auto to = s.front.client({.topic = "waiting"}).fanout();
  BOOST_TEST(to.cast("note", std::string(50, 'x')).has_value());
  BOOST_TEST((to.cast("note", std::string(500, 'x')).error() == errc::too_large));
  BOOST_TEST((to.cast("note", std::string(5000, 'x')).error() == errc::too_large));
  BOOST_TEST(s.received(0).casts == 1U);
  BOOST_TEST(s.received(1).casts == 2U);
}

BOOST_AUTO_TEST_CASE(leaves_no_trace_of_a_call_that_could_not_be_packed) {
  calling s;
  struct bad {
    void msgpack_pack(msgpack::packer<wire::buffer>& into) const {
      into.pack_array(3);
      throw std::length_error("no bytes for this");
    }
  };
  const auto to = s.front.client({.topic = "waiting"}).prepare({.server = "0"});
  BOOST_CHECK_THROW(to.future_call<int>("join", bad{}), std::length_error);
  bool thrown = false;
  s.front.on_loop([&] {
    try {
      const auto never = to.async_call<int>("join", bad{});
    } catch (const std::length_error&) {
      thrown = true;
    }
  });
  BOOST_TEST(thrown);
  auto got = s.call("0");
  const auto ids = s.ids(0);
  BOOST_TEST_REQUIRE(ids.size() == 1U);
  s.reply(0, ids[0], 3);
  BOOST_TEST(got.get().value() == 3);
  BOOST_TEST(s.front.connector().counts().answered.load() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::caller_link_test
