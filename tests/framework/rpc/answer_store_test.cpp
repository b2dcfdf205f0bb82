#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <mailroom/framework/rpc/answer_store.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mailroom::tests::answer_store_test {
namespace {

wire::call_key key(std::uint8_t number) {
  wire::call_key made{};
  made.fill(std::byte{1});
  made.front() = std::byte{number};
  return made;
}

std::vector<std::byte> body(std::size_t size) {
  return std::vector<std::byte>(size, std::byte{7});
}

struct scene {
  explicit scene(rpc::answer_store::limits bounds = {}) : store(bounds) {
    any.on_loop([this] { from->open(link, "tester"); });
  }
  ~scene() {
    any.on_loop([this] { from->close(); });
  }

  ref<rpc::keyed_call> arrive(std::uint8_t number, std::uint64_t id, duration later = {}) {
    return store.arrive(key(number), *from, id, start + later);
  }
  // A call that is run and answered; false if its answer was known.
  bool run(std::uint8_t number, std::size_t bytes, duration later = {}) {
    const auto first = arrive(number, 100, later);
    if (!first) {
      return false;
    }
    first->succeeded(body(bytes), 0, start + later);
    first->tell();
    return true;
  }
  // Ids of the answers so far that are no failures, or are.
  std::vector<std::uint64_t> answered(wire::kind how) {
    for (int pass = 0; pass < 2; ++pass) {
      any.on_loop([] {});
    }
    for (auto& each : link.taken()) {
      frames.push_back(std::move(each));
    }
    std::vector<std::uint64_t> ids;
    for (const auto& each : frames) {
      auto messages = wire::reader::open(each.bytes(), wire::plane::data).value();
      wire::message one;
      while (messages.next(one).value()) {
        if (one.what == how) {
          ids.push_back(wire::load<std::uint64_t>(one.head.data()));
        }
      }
    }
    return ids;
  }

  const time_point start{};
  site any{"any"};
  recording_link link;
  ref<rpc::caller> from = make_ref<rpc::caller>(any.loop(), rpc::caller::limits{});
  std::vector<wire::frame> frames;
  rpc::answer_store store;
};

using ids = std::vector<std::uint64_t>;

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_answer_store)

BOOST_AUTO_TEST_CASE(the_first_runs_and_the_others_are_answered_with_it) {
  scene s;
  const auto first = s.arrive(1, 1);
  BOOST_REQUIRE(first);
  BOOST_TEST(!s.arrive(1, 2));
  BOOST_TEST(!s.arrive(1, 3));
  BOOST_TEST(static_cast<bool>(s.arrive(2, 4)));
  BOOST_TEST((s.answered(wire::kind::reply) == ids{}));
  first->succeeded(body(10), 0, s.start);
  first->tell();
  BOOST_TEST((s.answered(wire::kind::reply) == ids{2, 3}));
  BOOST_TEST(!s.arrive(1, 5));
  BOOST_TEST((s.answered(wire::kind::reply) == ids{2, 3, 5}));
}

BOOST_AUTO_TEST_CASE(a_failure_of_the_handler_is_an_answer_and_a_refusal_is_not) {
  scene s;
  const auto failed = s.arrive(1, 1);
  failed->failed(error(errc::handler_failed, "no"), s.start);
  failed->tell();
  BOOST_TEST(!s.arrive(1, 2));
  BOOST_TEST((s.answered(wire::kind::failure) == ids{2}));
  const auto refused = s.arrive(2, 3);
  BOOST_TEST(!s.arrive(2, 4));
  refused->failed(error(errc::busy, "full"), s.start);
  refused->tell();
  BOOST_TEST((s.answered(wire::kind::failure) == ids{2, 4}));
  BOOST_TEST(static_cast<bool>(s.arrive(2, 5)));
}

BOOST_AUTO_TEST_CASE(answers_are_forgotten_after_a_while) {
  scene s({.time = 10s});
  BOOST_TEST(s.run(1, 10));
  BOOST_TEST(!s.run(1, 10, 9s));
  BOOST_TEST(s.run(1, 10, 10s));
}

BOOST_AUTO_TEST_CASE(and_the_oldest_of_them_when_there_are_too_many_bytes) {
  scene s({.bytes = 16 * 2000});
  BOOST_TEST(s.run(1, 800));
  BOOST_TEST(s.run(2, 800));
  BOOST_TEST(!s.run(1, 800));
  BOOST_TEST(s.run(3, 800));
  BOOST_TEST(s.run(1, 800));
  BOOST_TEST(!s.run(3, 800));
  BOOST_TEST(s.store.bytes() <= 2000U);
  // One that would take all of the room takes none.
  BOOST_TEST(s.run(4, 5000));
  BOOST_TEST(s.run(4, 5000));
}

BOOST_AUTO_TEST_CASE(without_room_only_what_runs_is_known) {
  scene s({.bytes = 0});
  BOOST_TEST(s.run(1, 1));
  BOOST_TEST(s.run(1, 1));
  const auto running = s.arrive(2, 1);
  BOOST_TEST(!s.arrive(2, 2));
  running->succeeded(body(1), 0, s.start);
  running->tell();
  BOOST_TEST(s.store.bytes() == 0U);
}

// Room for answers must not be taken for ever by those of calls that never ended.
BOOST_AUTO_TEST_CASE(memory_is_bounded_by_any_number_of_keys) {
  scene s({.bytes = 64 * 1024});
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    wire::call_key made{};
    wire::store(made.data(), i + 1);
    made.back() = static_cast<std::byte>(i);
    const auto first = s.store.arrive(made, *s.from, 1, s.start);
    BOOST_REQUIRE(first);
    first->succeeded(body(10), 0, s.start);
    first->tell();
  }
  BOOST_TEST(s.store.bytes() <= 64U * 1024U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::answer_store_test
