#pragma once

#include <mailroom/tests/transports/scene.hpp>

#include <atomic>

namespace mailroom::tests {

/// What every transport keeps about frames on their way. For `Wiring` see contract.hpp.
template <class Wiring>
struct contract_of_frames {
  using stage = scene<Wiring>;

  static void open_comes_after_dial_and_once() {
    stage on;
    auto& here = on.make_recorder();
    on.dial(here);
    BOOST_TEST(here.wait_open());
    BOOST_TEST(here.opened() == 1U);
    BOOST_TEST(on.accepts().size() == 0U);  // It has not spoken yet.
  }

  static void frames_arrive_whole_and_in_order_both_ways() {
    stage on;
    auto& here = on.make_recorder();
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    constexpr std::size_t sizes[] = {4, 5, 33, 34, 255, 256, 1000, 8191, 8193, 70'000, 300'000};
    std::uint32_t number = 0;
    for (const std::size_t size : sizes) {
      on.send(link, size, number++);
    }
    auto& there = on.accepts().accepted(0);
    BOOST_REQUIRE(there.wait_frames(std::size(sizes)));
    number = 0;
    for (const std::size_t size : sizes) {
      BOOST_TEST(is_numbered(there.frame(number), size, number));
      on.answer(there.link(), size, 1000 + number++);
    }
    BOOST_REQUIRE(here.wait_frames(std::size(sizes)));
    number = 0;
    for (const std::size_t size : sizes) {
      BOOST_TEST(is_numbered(here.frame(number), size, 1000 + number));
      ++number;
    }
    BOOST_TEST(there.opened() == 0U);
    BOOST_TEST(!on.near_loop().call([&] { return there.link().peer_address().empty(); }));
    BOOST_TEST(!on.far_loop().call([&] { return link.peer_address().empty(); }));
  }

  static void both_ends_may_share_a_loop() {
    stage on({}, stage::loops::one);
    std::atomic<bool> sending = false;
    std::atomic<bool> within = false;
    on.accepts().prepare = [&](recorder& one) {
      one.when_frame = [&](rpc::link& from, const wire::frame& received) {
        within = within || sending;
        auto back = numbered(received.size(), 7);
        from.send(back);
      };
    };
    auto& here = on.make_recorder();
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    for (std::uint32_t i = 0; i != 100; ++i) {
      on.far_loop().call([&] {
        auto frame = numbered(64, i);
        sending = true;
        link.send(frame);
        sending = false;
      });
    }
    BOOST_TEST(here.wait_frames(100));
    BOOST_TEST(!within);  // Nothing is delivered from within `send`.
  }

  static void a_hundred_thousand_small_frames_arrive() {
    constexpr std::size_t count = 100'000;
    stage on;
    std::atomic<std::size_t> wrong{0};
    on.accepts().prepare = [&](recorder& one) {
      one.keep_frames = false;
      one.when_frame = [&wrong, next = std::uint32_t{0}](rpc::link&,
                                                         const wire::frame& received) mutable {
        wrong += is_numbered(received, 64, next++) ? 0 : 1;
      };
    };
    auto& here = on.make_recorder();
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    stream all(here, count, 64);
    on.far_loop().call([&] { all.run(link); });
    BOOST_TEST(on.accepts().accepted(0).wait_frames(count));
    BOOST_TEST(wrong == 0U);
    on.far_loop().call([&] { here.when_writable = nullptr; });
  }

  static void a_frame_of_16_mib_arrives() {
    constexpr std::size_t size = std::size_t{16} << 20;
    stage on;
    auto& here = on.make_recorder();
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    on.send(link, size, 5);
    auto& there = on.accepts().accepted(0);
    BOOST_REQUIRE(there.wait_frames(1));
    BOOST_TEST(is_numbered(there.frame(0), size, 5));
    on.answer(there.link(), size, 6);
    BOOST_REQUIRE(here.wait_frames(1));
    BOOST_TEST(is_numbered(here.frame(0), size, 6));
  }

  static void a_frame_over_the_limit_disconnects_its_sender_only() {
    rpc::transport::limits bounds;
    bounds.max_frame = 10'000;
    stage on(bounds);
    auto& good = on.make_recorder();
    auto& bad = on.make_recorder();
    auto& good_link = on.dial(good);
    BOOST_REQUIRE(good.wait_open());
    on.send(good_link, 100, 1);
    auto& good_there = on.accepts().accepted(0);
    auto& bad_link = on.dial(bad);
    BOOST_REQUIRE(bad.wait_open());
    on.send(bad_link, 100, 2);
    auto& bad_there = on.accepts().accepted(1);
    BOOST_REQUIRE(bad_there.wait_frames(1));
    on.send(bad_link, 10'001, 3);
    BOOST_TEST(bad.wait_closed());
    BOOST_TEST((bad.why() == errc::lost));
    BOOST_TEST(bad_there.wait_closed());
    BOOST_TEST(bad_there.frames_seen() == 1U);
    on.send(good_link, 10'000, 4);
    BOOST_TEST(good_there.wait_frames(2));
    BOOST_TEST(good.closed() == 0U);
  }

  static void send_refuses_when_the_peer_does_not_read_and_says_when_there_is_room() {
    constexpr std::size_t size = 100'000;
    stage on;
    std::promise<void> go_on;
    auto gate = go_on.get_future().share();
    on.accepts().prepare = [&](recorder& one) {
      one.keep_frames = false;
      one.when_frame = [gate](rpc::link&, const wire::frame&) { gate.wait(); };
    };
    auto& here = on.make_recorder();
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    // The system's buffers and libzmq's read-ahead take a lot, but not everything.
    std::size_t sent = 0;
    bool kept = false;
    std::size_t unsent = 0;
    std::size_t rounds = 0;
    while (!kept && rounds++ != 100'000) {
      on.far_loop().call([&] {
        auto frame = numbered(size, static_cast<std::uint32_t>(sent));
        if (link.send(frame)) {
          ++sent;
        } else {
          kept = frame.size() == size;
          unsent = link.unsent_bytes();
        }
      });
    }
    BOOST_REQUIRE(kept);
    BOOST_TEST(unsent >= (std::size_t{8} << 20));
    BOOST_TEST(unsent < (std::size_t{9} << 20));
    go_on.set_value();
    BOOST_TEST(here.wait_writable());
    auto& there = on.accepts().accepted(0);
    BOOST_TEST(there.wait_frames(sent));
    on.send(link, size, 1);
    BOOST_TEST(there.wait_frames(sent + 1));
    // Counted down when the network has it, which the other end may see first.
    std::size_t left = 1;
    for (rounds = 0; left != 0 && rounds != 1'000'000; ++rounds) {
      left = on.far_loop().call([&] { return link.unsent_bytes(); });
    }
    BOOST_TEST(left == 0U);
  }
};

}  // namespace mailroom::tests
