#pragma once

#include <mailroom/tests/transports/scene.hpp>

#include <atomic>

namespace mailroom::tests {

/// What every transport keeps. `Wiring` says how one is made: `make(limits)`, `any_address()` to
/// listen on and `nobody()`, an address that nobody listens on.
template <class Wiring>
struct contract {
  using stage = scene<Wiring>;

  static void open_comes_after_dial_and_once() {
    stage on;
    recorder here;
    on.dial(here);
    BOOST_TEST(here.wait_open());
    BOOST_TEST(here.opened() == 1U);
    BOOST_TEST(on.accepts().size() == 0U);  // It has not spoken yet.
  }

  static void frames_arrive_whole_and_in_order_both_ways() {
    stage on;
    recorder here;
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
    recorder here;
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
    recorder here;
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
    recorder here;
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
    recorder good;
    recorder bad;
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
    recorder here;
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

  static void dialling_nobody_ends_with_unreachable() {
    stage on;
    recorder here;
    const std::string where = Wiring::nobody();
    const auto before = clock::now();
    on.dial(here, where);
    BOOST_TEST(here.wait_closed());
    BOOST_TEST((here.why() == errc::unreachable));
    BOOST_TEST_CONTEXT(here.why().to_string()) {
      BOOST_TEST(here.why().message().find(where) != std::string_view::npos);
    }
    BOOST_TEST(here.opened() == 0U);
    BOOST_TEST((clock::now() - before < 1s));
  }

  static void addresses_that_cannot_be_read_are_refused() {
    stage on;
    recorder here;
    const std::string scheme = on.address().substr(0, on.address().find(':'));
    BOOST_TEST(on.far().handles(scheme));
    BOOST_TEST(!on.far().handles("carrier-pigeon"));
    for (const std::string& text : {std::string("nonsense"), scheme + "://", std::string()}) {
      on.far_loop().call([&] {
        const auto dialled = on.far().dial(on.far_loop().get(), text, here);
        BOOST_TEST((!dialled && dialled.error() == errc::invalid_value));
        const auto opened = on.far().listen(on.far_loop().get(), text, on.accepts());
        BOOST_TEST((!opened && opened.error() == errc::invalid_value));
      });
    }
    BOOST_TEST(here.callbacks() == 0U);
  }

  static void an_address_in_use_is_refused() {
    stage on;
    const auto again = on.far_loop().call([&] {
      auto opened = on.far().listen(on.far_loop().get(), on.address(), on.accepts());
      return opened ? error(errc::ok) : opened.error();
    });
    BOOST_TEST((again == errc::io));
    BOOST_TEST(again.message().find(on.address()) != std::string_view::npos);
    recorder here;  // And the one that has it goes on.
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    on.send(link, 10, 1);
    BOOST_TEST(on.accepts().accepted(0).wait_frames(1));
  }

  static void the_system_chooses_addresses_that_differ() {
    stage one;
    stage other;
    BOOST_TEST(one.address() != other.address());
    BOOST_TEST(one.address() != Wiring::any_address());
  }

  static void an_address_is_free_again_when_its_port_has_closed() {
    stage on;
    const std::string where = on.address();
    on.close_port();
    on.near_loop().call([&] {
      const auto opened = on.near().listen(on.near_loop().get(), where, on.accepts());
      BOOST_TEST_CONTEXT((opened ? std::string() : opened.error().to_string())) {
        BOOST_TEST(opened.has_value());
      }
    });
  }

  static void a_close_is_noticed_at_the_other_end() {
    for (const bool dialler_closes : {true, false}) {
      for (const bool flush : {true, false}) {
        stage on;
        recorder here;
        auto& link = on.dial(here);
        BOOST_REQUIRE(here.wait_open());
        on.send(link, 10, 1);
        auto& there = on.accepts().accepted(0);
        BOOST_REQUIRE(there.wait_frames(1));
        auto& closes = dialler_closes ? here : there;
        auto& notices = dialler_closes ? there : here;
        auto& loop = dialler_closes ? on.far_loop() : on.near_loop();
        loop.call([&] { closes.link().close(flush); });
        BOOST_TEST_CONTEXT("dialler closes: " << dialler_closes << ", flush: " << flush) {
          BOOST_TEST(notices.wait_closed());
          BOOST_TEST((notices.why() == errc::lost));
          BOOST_TEST(closes.closed() == 0U);
        }
      }
    }
  }

  static void frames_sent_before_a_flushing_close_arrive() {
    constexpr std::size_t count = 60;
    constexpr std::size_t size = 100'000;
    for (const bool dialler_closes : {true, false}) {
      stage on;
      recorder here;
      auto& link = on.dial(here);
      BOOST_REQUIRE(here.wait_open());
      on.send(link, 10, 1);
      auto& there = on.accepts().accepted(0);
      BOOST_REQUIRE(there.wait_frames(1));
      auto& closes = dialler_closes ? here : there;
      auto& notices = dialler_closes ? there : here;
      auto& loop = dialler_closes ? on.far_loop() : on.near_loop();
      const std::size_t before = notices.frames_seen();
      loop.call([&] {
        for (std::uint32_t i = 0; i != count; ++i) {
          auto frame = numbered(size, i);
          BOOST_TEST(closes.link().send(frame));
        }
        closes.link().close(true);
      });
      BOOST_TEST(notices.wait_closed());
      BOOST_TEST(notices.frames_seen() == before + count);
      BOOST_TEST(is_numbered(notices.frame(before + count - 1), size, count - 1));
    }
  }

  static void the_last_words_of_a_node_that_goes_arrive() {
    constexpr std::size_t count = 20;
    stage on;
    recorder here;
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    on.send(link, 10, 1);
    auto& there = on.accepts().accepted(0);
    BOOST_REQUIRE(there.wait_frames(1));
    on.near_loop().call([&] {
      for (std::uint32_t i = 0; i != count; ++i) {
        auto frame = numbered(50'000, i);
        BOOST_TEST(there.link().send(frame));
      }
      there.link().close(true);
    });
    on.close_port();
    BOOST_TEST(here.wait_closed());
    BOOST_TEST(here.frames_seen() == count);
  }

  static void closing_a_port_ends_its_links() {
    stage on;
    recorder here;
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    on.send(link, 10, 1);
    auto& there = on.accepts().accepted(0);
    BOOST_REQUIRE(there.wait_frames(1));
    on.close_port();
    BOOST_TEST(here.wait_closed());
    BOOST_TEST((here.why() == errc::lost));
    BOOST_TEST(there.closed() == 0U);
  }

  static void two_diallers_do_not_mix() {
    constexpr std::size_t count = 500;
    stage on;
    on.accepts().prepare = [](recorder& one) {
      one.when_frame = [](rpc::link& from, const wire::frame& received) {
        wire::buffer back;
        back.append(received.bytes());
        from.send(back);
      };
    };
    recorder first;
    recorder second;
    auto& first_link = on.dial(first);
    auto& second_link = on.dial(second);
    BOOST_REQUIRE(first.wait_open());
    BOOST_REQUIRE(second.wait_open());
    on.far_loop().call([&] {
      for (std::uint32_t i = 0; i != count; ++i) {
        auto one = numbered(40, i);
        auto other = numbered(41, 10'000 + i);
        first_link.send(one);
        second_link.send(other);
      }
    });
    BOOST_REQUIRE(first.wait_frames(count));
    BOOST_REQUIRE(second.wait_frames(count));
    bool right = true;
    for (std::uint32_t i = 0; i != count; ++i) {
      right = right && is_numbered(first.frame(i), 40, i) &&
              is_numbered(second.frame(i), 41, 10'000 + i);
    }
    BOOST_TEST(right);
    BOOST_TEST(first.frames_seen() == count);
    BOOST_TEST(second.frames_seen() == count);
  }

  static void nothing_is_called_after_close() {
    for (const bool in_callback : {true, false}) {
      stage on;
      on.accepts().prepare = [](recorder& one) {
        one.when_frame = [](rpc::link& from, const wire::frame&) {
          for (std::uint32_t i = 0; i != 1000; ++i) {
            auto frame = numbered(100, i);
            from.send(frame);
          }
        };
      };
      recorder here;
      if (in_callback) {
        here.when_frame = [](rpc::link& from, const wire::frame&) { from.close(false); };
      }
      auto& link = on.dial(here);
      BOOST_REQUIRE(here.wait_open());
      on.send(link, 10, 1);
      BOOST_REQUIRE(here.wait_frames(1));
      std::size_t seen = 0;
      if (!in_callback) {
        seen = on.far_loop().call([&] {
          link.close(false);
          return here.callbacks();
        });
      } else {
        seen = 2;  // Open and one frame.
      }
      BOOST_TEST(on.accepts().accepted(0).wait_closed());
      on.far_loop().call([] {});
      BOOST_TEST(here.callbacks() == seen);
    }
  }

  static void a_refused_link_is_lost_to_its_dialler() {
    stage on;
    on.accepts().refuses = true;
    recorder here;
    auto& link = on.dial(here);
    BOOST_REQUIRE(here.wait_open());
    on.send(link, 10, 1);
    BOOST_TEST(here.wait_closed());
    BOOST_TEST((here.why() == errc::lost));
    BOOST_TEST(on.accepts().asked() == 1U);
  }

  static void links_come_and_go_many_times() {
    stage on;
    on.accepts().prepare = [](recorder& one) {
      one.when_frame = [](rpc::link& from, const wire::frame& received) {
        wire::buffer back;
        back.append(received.bytes());
        from.send(back);
      };
    };
    for (std::uint32_t i = 0; i != 200; ++i) {
      recorder here;
      auto& link = on.dial(here);
      BOOST_REQUIRE(here.wait_open());
      on.send(link, 100, i);
      BOOST_REQUIRE(here.wait_frames(1));
      BOOST_REQUIRE(is_numbered(here.frame(0), 100, i));
      on.far_loop().call([&] { link.close(i % 2 == 0); });
      BOOST_REQUIRE(on.accepts().accepted(i).wait_closed());
    }
  }

  static void a_port_may_be_closed_from_within_a_callback() {
    stage on;
    std::unique_ptr<rpc::transport::port> port;
    door second;
    second.prepare = [&](recorder& one) {
      one.when_frame = [&](rpc::link&, const wire::frame&) { port.reset(); };
    };
    const std::string where = on.near_loop().call([&] {
      port = *on.near().listen(on.near_loop().get(), Wiring::any_address(), second);
      return port->address();
    });
    recorder here;
    auto& link = on.dial(here, where);
    BOOST_REQUIRE(here.wait_open());
    on.send(link, 10, 1);
    BOOST_TEST(here.wait_closed());
    BOOST_TEST(second.accepted(0).closed() == 0U);
  }
};

}  // namespace mailroom::tests

#define MAILROOM_CONTRACT_CASE(wiring, name)   \
  BOOST_AUTO_TEST_CASE(name) {                 \
    mailroom::tests::contract<wiring>::name(); \
  }

/// The whole suite for one transport, to stand between BOOST_AUTO_TEST_SUITE and its end.
#define MAILROOM_TRANSPORT_CONTRACT(wiring)                                                    \
  MAILROOM_CONTRACT_CASE(wiring, open_comes_after_dial_and_once)                               \
  MAILROOM_CONTRACT_CASE(wiring, frames_arrive_whole_and_in_order_both_ways)                   \
  MAILROOM_CONTRACT_CASE(wiring, both_ends_may_share_a_loop)                                   \
  MAILROOM_CONTRACT_CASE(wiring, a_hundred_thousand_small_frames_arrive)                       \
  MAILROOM_CONTRACT_CASE(wiring, a_frame_of_16_mib_arrives)                                    \
  MAILROOM_CONTRACT_CASE(wiring, a_frame_over_the_limit_disconnects_its_sender_only)           \
  MAILROOM_CONTRACT_CASE(wiring,                                                               \
                         send_refuses_when_the_peer_does_not_read_and_says_when_there_is_room) \
  MAILROOM_CONTRACT_CASE(wiring, dialling_nobody_ends_with_unreachable)                        \
  MAILROOM_CONTRACT_CASE(wiring, addresses_that_cannot_be_read_are_refused)                    \
  MAILROOM_CONTRACT_CASE(wiring, an_address_in_use_is_refused)                                 \
  MAILROOM_CONTRACT_CASE(wiring, the_system_chooses_addresses_that_differ)                     \
  MAILROOM_CONTRACT_CASE(wiring, an_address_is_free_again_when_its_port_has_closed)            \
  MAILROOM_CONTRACT_CASE(wiring, a_close_is_noticed_at_the_other_end)                          \
  MAILROOM_CONTRACT_CASE(wiring, frames_sent_before_a_flushing_close_arrive)                   \
  MAILROOM_CONTRACT_CASE(wiring, the_last_words_of_a_node_that_goes_arrive)                    \
  MAILROOM_CONTRACT_CASE(wiring, closing_a_port_ends_its_links)                                \
  MAILROOM_CONTRACT_CASE(wiring, two_diallers_do_not_mix)                                      \
  MAILROOM_CONTRACT_CASE(wiring, nothing_is_called_after_close)                                \
  MAILROOM_CONTRACT_CASE(wiring, a_refused_link_is_lost_to_its_dialler)                        \
  MAILROOM_CONTRACT_CASE(wiring, links_come_and_go_many_times)                                 \
  MAILROOM_CONTRACT_CASE(wiring, a_port_may_be_closed_from_within_a_callback)
