#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/rpc/chunk_pace.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

// Bodies that travel in pieces.

namespace mailroom::tests::chunks_test {
namespace {

constexpr std::size_t large = 3'000'000;

class echoing {
 public:
  explicit echoing(std::shared_ptr<tally> told) : told_(std::move(told)) {}

  std::string echo(context&, std::string text) { return text; }
  std::size_t size(context&, std::string text) { return text.size(); }
  std::string repeat(context&, std::size_t length) { return std::string(length, 'x'); }
  void tell(context&, std::string text) { told_->add(static_cast<int>(text.size())); }

  static endpoint_builder<echoing> described(std::shared_ptr<tally> told) {
    return endpoint<echoing>(std::move(told))
        .method("echo", &echoing::echo)
        .method("size", &echoing::size)
        .method("repeat", &echoing::repeat)
        .method("tell", &echoing::tell);
  }

 private:
  std::shared_ptr<tally> told_;
};

std::string text_of(std::size_t length) {
  std::string text(length, 0);
  for (std::size_t i = 0; i < length; ++i) {
    text[i] = static_cast<char>('a' + (i * 7 + i / 1000) % 26);
  }
  return text;
}

// A caller whose server is the test.
struct calling {
  calling() {
    rpc::connector::session_info agreed;
    agreed.address = "control://server";
    agreed.data = {"data://server"};
    agreed.chunks = true;
    agreed.topics.push_back({"mailroom", "echo", 0});
    front.on_loop([&] {
      front.connector().open_session(over, std::move(agreed), {});
      over.links.back()->attach();
    });
  }
  ~calling() { front.close(); }

  std::future<result<std::size_t>> call(std::size_t length, duration timeout = 60s) {
    return front.client({.topic = "echo"})
        .prepare({.timeout = timeout})
        .future_call<std::size_t>("size", text_of(length));
  }
  struct sent {
    std::size_t chunk_bytes = 0;
    std::vector<std::size_t> calls;  // Sizes of their payloads.
  };
  sent seen() {
    sent found;
    for (int pass = 0; pass < 3; ++pass) {
      front.on_loop([&] {
        found = {};
        for (const auto& frame : over.links[0]->link.sent) {
          auto messages = wire::reader::open(frame.bytes(), wire::plane::data).value();
          wire::message one;
          while (messages.next(one).value()) {
            if (one.what == wire::kind::chunk) {
              found.chunk_bytes += one.payload.size();
            } else if (one.what == wire::kind::call) {
              found.calls.push_back(one.payload.size());
            }
          }
        }
      });
    }
    return found;
  }
  void take(std::uint64_t bytes) {
    wire::batch batch(wire::plane::data);
    wire::write_taken(batch, bytes);
    front.on_loop([&] { over.links[0]->feed(batch.take()); });
  }

  fake_transport over;
  site front{"front"};
};

struct serving {
  explicit serving(rpc::caller::limits bounds = {}) : back("back", {.bounds = bounds}) {
    back.serve({.topic = "echo"}, echoing::described(std::make_shared<tally>()));
  }
  site back;
};

void add_chunk(wire::batch& into,
               std::uint64_t id,
               std::uint64_t offset,
               std::uint64_t total,
               std::string_view bytes) {
  const wire::chunk_head head{id, offset, total};
  head.write(into.begin(wire::kind::chunk, wire::chunk_head::size));
  into.bytes().append(bytes.data(), bytes.size());
  into.finish();
}

void add_call(wire::batch& into, std::uint64_t id) {
  wire::call_head head;
  head.id = id;
  head.write(into.begin(wire::kind::call, wire::call_head::size));
  into.finish();
}

constexpr std::string_view hello = "\x91\xa5hello";

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_chunks)

BOOST_AUTO_TEST_CASE(calls_answers_and_casts_arrive_whole) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto told = std::make_shared<tally>();
      pair nodes(policy);
      nodes.back.serve({.topic = "echo"}, echoing::described(told));
      nodes.connect();
      const auto to = nodes.client({.topic = "echo"});
      const auto text = text_of(large);
      std::vector<std::future<result<std::string>>> both;
      for (int i = 0; i < 3; ++i) {
        both.push_back(to.future_call<std::string>("echo", text));
        both.push_back(to.future_call<std::string>("echo", std::string("small")));
      }
      BOOST_TEST(to.call<std::size_t>("size", text).value() == large);
      BOOST_TEST(to.call<std::string>("repeat", large).value() == std::string(large, 'x'));
      to.cast("tell", text).value();
      BOOST_TEST(told->reaches(static_cast<int>(large)));
      for (std::size_t i = 0; i < both.size(); ++i) {
        const bool same = both[i].get().value() == (i % 2 == 0 ? text : "small");
        BOOST_TEST(same);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(small_calls_do_not_wait_behind_a_large_one) {
  calling s;
  auto big = s.call(large);
  const auto begun = s.seen();
  BOOST_TEST(begun.chunk_bytes >= rpc::chunk_pace::least);
  BOOST_TEST(begun.chunk_bytes < large / 10);
  auto small = s.call(10);
  const auto then = s.seen();
  BOOST_TEST(then.chunk_bytes == begun.chunk_bytes);
  BOOST_TEST_REQUIRE(then.calls.size() == 1U);
  // The rest goes as the server takes it, and the call itself after it.
  std::size_t taken = 0;
  for (int i = 0; i < 10'000 && s.seen().calls.size() < 2; ++i) {
    const std::size_t now = s.seen().chunk_bytes;
    BOOST_TEST_REQUIRE(now > taken);
    s.take(now - taken);
    taken = now;
  }
  BOOST_TEST(s.seen().chunk_bytes >= large);
  BOOST_TEST(s.seen().calls == std::vector<std::size_t>({then.calls.front(), 0}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_whose_deadline_has_passed_is_not_sent_to_its_end) {
  calling s;
  auto given_up = s.call(large, 10ms);
  BOOST_TEST((given_up.get().error() == errc::expired));
  const auto before = s.seen().chunk_bytes;
  s.take(before);
  BOOST_TEST(s.seen().chunk_bytes == before);
  auto next = s.call(large);
  BOOST_TEST(s.seen().chunk_bytes > before);
}

BOOST_AUTO_TEST_CASE(a_server_puts_together_what_anybody_sends_in_pieces) {
  serving s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "echo", "echo");
  wire::batch batch(wire::plane::data);
  add_chunk(batch, 7, 0, hello.size(), hello.substr(0, 3));
  peer.feed(batch.take());
  add_chunk(batch, 7, 3, hello.size(), hello.substr(3));
  add_call(batch, 7);
  peer.feed(batch.take());
  BOOST_TEST(eventually([&] { return peer.replies() == 1U; }));
  BOOST_TEST(peer.taken() == hello.size());
  // It is used up.
  add_call(batch, 8);
  peer.feed(batch.take());
  BOOST_TEST(eventually([&] { return peer.failures().size() == 1U; }));
  BOOST_TEST((peer.failures().front().why == errc::invalid_arguments));
}

BOOST_AUTO_TEST_CASE(a_body_that_was_given_up_makes_room_for_the_next) {
  serving s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "echo", "echo");
  wire::batch batch(wire::plane::data);
  add_chunk(batch, 7, 0, 1000, "begun");
  add_chunk(batch, 8, 0, hello.size(), hello);
  add_call(batch, 8);
  peer.feed(batch.take());
  BOOST_TEST(eventually([&] { return peer.replies() == 1U; }));
}

BOOST_AUTO_TEST_CASE(pieces_that_do_not_fit_are_garbage) {
  struct piece {
    std::uint64_t id;
    std::uint64_t offset;
    std::uint64_t total;
    std::string_view bytes;
  };
  const std::vector<std::vector<piece>> wrong{
      {{7, 1, 10, "x"}},                    // Not from the beginning.
      {{7, 0, 10, "xx"}, {7, 3, 10, "x"}},  // A gap.
      {{7, 0, 10, "xx"}, {7, 1, 10, "x"}},  // Twice.
      {{7, 0, 10, "xx"}, {8, 2, 10, "x"}},  // Of another.
      {{7, 0, 10, "xx"}, {7, 2, 11, "x"}},  // Of another size.
      {{7, 0, 2, "xxx"}},                   // More than all.
      {{7, 0, 10, ""}},                     // Nothing.
      {{7, 0, 0, ""}},                      // Of nothing.
      {{7, 0, 1001, "x"}},                  // More than is taken.
      {{7, 0, ~std::uint64_t{0}, "x"}}};    // Much more.
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    BOOST_TEST_CONTEXT(i) {
      serving s({.max_body = 1000});
      fake_peer peer(s.back);
      peer.attach();
      wire::batch batch(wire::plane::data);
      for (const auto& each : wrong[i]) {
        add_chunk(batch, each.id, each.offset, each.total, each.bytes);
      }
      peer.feed(batch.take());
      BOOST_TEST(peer.closed());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::chunks_test
