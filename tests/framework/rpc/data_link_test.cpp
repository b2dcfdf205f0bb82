#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/rpc/support/waiting.hpp>
#include <mailroom/tests/framework/wire/messages.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::tests::data_link_test {
namespace {

using frame_bytes = std::vector<std::byte>;

struct server {
  explicit server(rpc::caller::limits bounds = {})
      : back("back", {.policy = "cooperative", .bounds = bounds}) {
    back.serve({.topic = "waiting"}, waiting::described(room));
  }

  /// Whether others are still served.
  bool lives() {
    site other("other");
    other.connect(back);
    return other.client({.topic = "waiting"}).call<std::string>("repeat", 2).value_or("") == "xx";
  }
  std::uint64_t garbage() { return back.server().counts().garbage.load(); }

  std::shared_ptr<waiting_room> room = std::make_shared<waiting_room>();
  site back;
};

void add_call(wire::batch& into,
              std::uint64_t id,
              std::uint32_t route,
              std::size_t length,
              std::int64_t until = wire::call_head::no_deadline) {
  wire::call_head head;
  head.id = id;
  head.route = route;
  head.deadline = until;
  head.write(into.begin(wire::kind::call, wire::call_head::size));
  wire::pack_arguments(into.bytes(), length);
  into.finish();
}

wire::buffer one_call(std::uint64_t id,
                      std::uint32_t route = 0,
                      std::int64_t until = wire::call_head::no_deadline) {
  wire::batch batch(wire::plane::data);
  add_call(batch, id, route, 3, until);
  return batch.take();
}

frame_bytes copy_of(const wire::buffer& from) {
  return {from.bytes().begin(), from.bytes().end()};
}

// A frame with every kind of message that a peer may send after its attach.
frame_bytes typical_frame() {
  wire::batch batch(wire::plane::data);
  wire::write_route(batch, {0, "mailroom", "waiting", "", "1.0", "repeat"});
  wire::write_route(batch, {1, "mailroom", "waiting", "", "", "go"});
  add_call(batch, 1, 0, 5);
  add_call(batch, 2, 1, 5, 1);
  wire::call_head cast;
  cast.route = 1;
  cast.write(batch.begin(wire::kind::cast, wire::call_head::size));
  wire::pack_arguments(batch.bytes());
  batch.finish();
  wire::write_fence(batch, 4);
  batch.begin(static_cast<wire::kind>(29), 4);  // Of a later version.
  batch.finish();
  return copy_of(batch.take());
}

bool failed_with(fake_peer& peer, std::uint64_t id, errc code) {
  return eventually([&] {
    const auto all = peer.failures();
    return std::any_of(all.begin(), all.end(), [&](const auto& each) {
      return each.id == id && each.why.code() == code;
    });
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_data_link)

BOOST_AUTO_TEST_CASE(answers_calls_of_a_peer_that_speaks_by_hand) {
  server s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "waiting", "go");
  peer.declare(1, "waiting", "repeat");
  peer.feed(one_call(1, 1));
  BOOST_TEST(eventually([&] { return peer.replies() == 1; }));
  BOOST_TEST(!peer.closed());
}

BOOST_AUTO_TEST_CASE(answers_fences_in_the_order_of_what_it_was_sent) {
  server s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "waiting", "repeat");
  wire::batch batch(wire::plane::data);
  wire::write_fence(batch, 7);
  add_call(batch, 1, 0, 3);
  wire::write_fence(batch, UINT64_MAX);
  wire::write_fence(batch, 7);
  add_call(batch, 2, 0, 3);
  peer.feed(batch.take());
  BOOST_TEST(peer.fenced() == (std::vector<std::uint64_t>{7, UINT64_MAX, 7}),
             boost::test_tools::per_element());
  BOOST_TEST(eventually([&] { return peer.replies() == 2; }));
}

BOOST_AUTO_TEST_CASE(is_closed_when_the_first_message_is_a_fence) {
  server s;
  fake_peer peer(s.back);
  wire::batch batch(wire::plane::data);
  wire::write_fence(batch, 1);
  peer.feed(batch.take());
  BOOST_TEST(peer.closed());
}

BOOST_AUTO_TEST_CASE(is_closed_when_the_first_message_is_no_attach) {
  server s;
  fake_peer peer(s.back);
  peer.feed(one_call(1));
  BOOST_TEST(peer.closed());
  BOOST_TEST(s.garbage() == 1U);
}

BOOST_AUTO_TEST_CASE(is_closed_when_it_attaches_to_a_session_that_is_not_open) {
  server s;
  fake_peer peer(s.back);
  wire::batch batch(wire::plane::data);
  wire::attach unknown;
  unknown.session.fill(std::byte{0x5a});
  wire::write_attach(batch, unknown);
  peer.feed(batch.take());
  BOOST_TEST(peer.closed());
  BOOST_TEST(s.back.server().peers() == 0U);
}

BOOST_AUTO_TEST_CASE(is_closed_when_it_attaches_twice) {
  server s;
  fake_peer peer(s.back);
  peer.attach();
  BOOST_TEST(!peer.closed());
  BOOST_TEST(s.back.server().peers() == 1U);
  peer.attach();
  BOOST_TEST(peer.closed());
  BOOST_TEST(s.back.server().peers() == 0U);
}

// One of them was, and the others went on without a session.
BOOST_AUTO_TEST_CASE(is_closed_with_all_others_of_its_session) {
  server s;
  const auto session = s.back.open_session("fake peer");
  fake_peer first(s.back);
  fake_peer second(s.back);
  fake_peer other(s.back);
  first.attach(session);
  second.attach(session);
  other.attach();
  BOOST_TEST(s.back.server().peers() == 3U);
  s.back.on_loop([&] { s.back.server().drop(session); });
  BOOST_TEST(first.closed());
  BOOST_TEST(second.closed());
  BOOST_TEST(!other.closed());
  BOOST_TEST(s.back.server().peers() == 1U);
}

BOOST_AUTO_TEST_CASE(is_closed_when_it_says_nothing) {
  server s;
  fake_peer peer(s.back);
  BOOST_TEST(eventually([&] { return peer.closed(); }));
}

// The note that an older link had said nothing outlived it, and met the new one at its address.
BOOST_AUTO_TEST_CASE(is_not_closed_for_the_silence_of_one_before_it) {
  server s;
  auto& loop = s.back.loop();
  fake_link silent;
  fake_link fresh;
  rpc::link_observer* session = nullptr;
  s.back.on_loop([&] { session = s.back.server().on_accept(silent); });
  const auto done = std::make_shared<tally>();
  loop.post([&, done] {
    std::this_thread::sleep_for(2100ms);
    // The timer fires at the end of the next pass; the one after it begins with this.
    loop.post([&, done] {
      loop.post([&, done] {
        session->on_closed(silent, error(errc::lost, "gone"));
        session = s.back.server().on_accept(fresh);
        done->add();
      });
    });
  });
  BOOST_TEST_REQUIRE(done->reaches(1));
  for (int pass = 0; pass < 3; ++pass) {
    s.back.on_loop([&] { BOOST_TEST(!fresh.closed); });
  }
  s.back.on_loop([&] { s.back.server().close(); });
}

BOOST_AUTO_TEST_CASE(is_closed_on_a_route_that_was_not_declared_or_is_too_large) {
  for (const std::uint32_t route : {0U, 1U, 65'535U, 0xffff'ffffU}) {
    server s;
    fake_peer peer(s.back);
    peer.attach();
    peer.feed(one_call(1, route));
    BOOST_TEST(peer.closed());
  }
  server s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(65'536, "waiting", "repeat");
  BOOST_TEST(peer.closed());
}

// One message of 20 bytes had a table of 65536 routes made, on every link.
BOOST_AUTO_TEST_CASE(is_closed_on_a_route_number_that_leaves_a_gap) {
  for (const std::uint32_t number : {2U, 1000U, 65'535U}) {
    server s;
    fake_peer peer(s.back);
    peer.attach();
    peer.declare(0, "waiting", "go");
    peer.declare(0, "waiting", "repeat");  // Anew: no gap.
    peer.feed(one_call(1, 0));
    BOOST_TEST(eventually([&] { return peer.replies() == 1; }));
    peer.declare(number, "waiting", "repeat");
    BOOST_TEST(peer.closed());
    BOOST_TEST(s.garbage() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(refuses_what_is_not_served_and_stays_open) {
  server s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "nowhere", "repeat");
  peer.declare(1, "waiting", "repeal");
  peer.feed(one_call(1, 0));
  peer.feed(one_call(2, 1));
  BOOST_TEST(failed_with(peer, 1, errc::no_server));
  BOOST_TEST(failed_with(peer, 2, errc::no_such_method));
  // Served meanwhile: a refusal is not remembered.
  s.back.serve({.topic = "nowhere"}, waiting::described(s.room));
  peer.feed(one_call(3, 0));
  BOOST_TEST(eventually([&] { return peer.replies() == 1; }));
  BOOST_TEST(!peer.closed());
}

BOOST_AUTO_TEST_CASE(refuses_what_expired_before_it_arrived) {
  server s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "waiting", "repeat");
  peer.feed(one_call(1, 0, 1));
  peer.feed(one_call(2, 0, INT64_MIN));
  BOOST_TEST(failed_with(peer, 1, errc::expired));
  BOOST_TEST(failed_with(peer, 2, errc::expired));
  BOOST_TEST(s.back.server().counts().expired.load() == 2U);
}

BOOST_AUTO_TEST_CASE(refuses_arguments_over_the_limit) {
  server s({.max_body = 4});
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "waiting", "repeat");
  wire::batch batch(wire::plane::data);
  add_call(batch, 1, 0, 100'000'000);  // Five bytes and the array's head.
  peer.feed(batch.take());
  BOOST_TEST(failed_with(peer, 1, errc::too_large));
  BOOST_TEST(!peer.closed());
}

BOOST_AUTO_TEST_CASE(refuses_calls_while_the_server_stops) {
  server s;
  fake_peer peer(s.back);
  peer.attach();
  peer.declare(0, "waiting", "repeat");
  s.back.server().stop_accepting();
  peer.feed(one_call(1));
  BOOST_TEST(failed_with(peer, 1, errc::stopping));
}

BOOST_AUTO_TEST_CASE(is_closed_when_the_names_of_its_routes_take_too_much) {
  server s;
  const std::string longest(wire::max_text, 'x');
  {
    fake_peer peer(s.back);
    peer.attach();
    for (int i = 0; i < 3000; ++i) {
      peer.declare(0, longest, longest);  // Takes the place of the one before.
    }
    BOOST_TEST(!peer.closed());
  }
  fake_peer peer(s.back);
  peer.attach();
  const auto fit = static_cast<std::uint32_t>(wire::max_route_bytes / (2 * longest.size() + 8));
  for (std::uint32_t i = 0; i < fit; ++i) {
    peer.declare(i, longest, longest);
  }
  BOOST_TEST(!peer.closed());
  peer.declare(fit, longest, longest);
  BOOST_TEST(peer.closed());
  BOOST_TEST(s.lives());
}

BOOST_AUTO_TEST_CASE(is_closed_on_random_bytes) {
  server s;
  std::mt19937_64 random(20141124);
  for (int i = 0; i < 300; ++i) {
    fake_peer peer(s.back);
    if (i % 2 == 0) {
      peer.attach();
    }
    frame_bytes noise(random() % 200);
    for (auto& each : noise) {
      each = static_cast<std::byte>(random());
    }
    peer.feed(noise);
    BOOST_TEST(peer.closed());
  }
  BOOST_TEST(s.lives());
}

BOOST_AUTO_TEST_CASE(survives_every_mutation_of_a_frame) {
  server s;
  std::mt19937_64 random(1984);
  const auto original = typical_frame();
  const auto try_one = [&](const frame_bytes& mutated) {
    fake_peer peer(s.back);
    peer.attach();
    peer.feed(mutated);
  };
  for (std::size_t at = 0; at < original.size(); ++at) {
    auto mutated = original;
    mutated[at] ^= static_cast<std::byte>(1U << (random() % 8));
    try_one(mutated);
    mutated[at] = std::byte{0xff};
    try_one(mutated);
    try_one(frame_bytes(original.begin(), original.begin() + static_cast<std::ptrdiff_t>(at)));
  }
  BOOST_TEST(s.lives());
}

BOOST_AUTO_TEST_CASE(survives_all_vectors_and_their_mutations) {
  server s;
  std::mt19937_64 random(2718);
  for (const auto& each : read_vectors(MAILROOM_VECTORS)) {
    for (int i = 0; i < 4; ++i) {
      fake_peer peer(s.back);
      if (i != 0) {
        peer.attach();
      }
      auto frame = each.frame;
      if (i > 1 && !frame.empty()) {
        frame[random() % frame.size()] = static_cast<std::byte>(random());
      }
      peer.feed(frame);
      peer.feed(frame);
      // What only the serving side sends is skipped unread by the serving side.
      const bool for_callers = each.name.starts_with("reply") || each.name.starts_with("failure") ||
                               each.name.starts_with("fenced");
      if (each.meaning.is_null() && i < (for_callers ? 1 : 2)) {
        BOOST_TEST_CONTEXT(each.name) {
          BOOST_TEST(peer.closed());
        }
      }
    }
  }
  BOOST_TEST(s.lives());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::data_link_test
