#pragma once

#include <mailroom/tests/transports/scene.hpp>

namespace mailroom::tests {

/// What every transport keeps about how links and ports come and go. For `Wiring` see contract.hpp.
template <class Wiring>
struct contract_of_ends {
  using stage = scene<Wiring>;

  /// For machines that are so busy that half a second is not enough to say the last words.
  static rpc::transport::limits patient() {
    rpc::transport::limits bounds;
    bounds.linger = patience;
    return bounds;
  }

  static void dialling_nobody_ends_with_unreachable() {
    stage on;
    auto& here = on.make_recorder();
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
    auto& here = on.make_recorder();
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
    auto& here = on.make_recorder();  // And the one that has it goes on.
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
        auto& here = on.make_recorder();
        auto& there = on.meet(here);
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
      stage on(patient());
      auto& here = on.make_recorder();
      auto& there = on.meet(here);
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
    stage on(patient());
    auto& here = on.make_recorder();
    auto& there = on.meet(here);
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

  static void the_last_words_arrive_even_if_nothing_runs_any_more() {
    constexpr std::size_t count = 20;
    for (const bool dialler_goes : {true, false}) {
      auto near_loop = std::make_unique<running_loop>("near");
      auto far_loop = std::make_unique<running_loop>("far");
      auto near = Wiring::make(patient());
      auto far = Wiring::make(patient());
      door accepts;
      recorder here;
      auto port = near_loop->call(
          [&] { return *near->listen(near_loop->get(), Wiring::any_address(), accepts); });
      far_loop->call([&] { (void)far->dial(far_loop->get(), port->address(), here); });
      BOOST_REQUIRE(here.wait_open());
      far_loop->call([&] {
        auto frame = numbered(10, 1);
        here.link().send(frame);
      });
      auto& there = accepts.accepted(0);
      BOOST_REQUIRE(there.wait_frames(1));
      auto& goes = dialler_goes ? here : there;
      auto& stays = dialler_goes ? there : here;
      auto& transport = dialler_goes ? far : near;
      auto& loop = dialler_goes ? far_loop : near_loop;
      const std::size_t before = stays.frames_seen();
      loop->call([&] {
        for (std::uint32_t i = 0; i != count; ++i) {
          auto frame = numbered(50'000, i);
          goes.link().send(frame);
        }
        goes.link().close(true);
        if (!dialler_goes) {
          port.reset();
        }
      });
      loop->get().stop();
      transport.reset();
      BOOST_TEST(stays.wait_closed());
      BOOST_TEST(stays.frames_seen() == before + count);
      near_loop->get().stop();
      far_loop->get().stop();
      port.reset();
    }
  }

  static void closing_a_port_ends_its_links() {
    stage on;
    auto& here = on.make_recorder();
    auto& there = on.meet(here);
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
    auto& first = on.make_recorder();
    auto& second = on.make_recorder();
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
      auto& here = on.make_recorder();
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
    auto& here = on.make_recorder();
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
      auto& here = on.make_recorder();
      auto& link = on.dial(here);
      BOOST_REQUIRE(here.wait_open());
      on.send(link, 100, i);
      BOOST_REQUIRE(here.wait_frames(1));
      BOOST_REQUIRE(is_numbered(here.frame(0), 100, i));
      on.far_loop().call([&] { link.close(i % 2 == 0); });
      BOOST_REQUIRE(on.accepts().accepted(i).wait_closed());
    }
  }

  static void ends_that_say_good_bye_at_once_do_not_wait_for_each_other() {
    stage on(patient(), stage::loops::one);
    auto& here = on.make_recorder();
    auto& there = on.meet(here);
    const auto begun = clock::now();
    on.far_loop().call([&] {
      there.link().close(true);
      here.link().close(true);
    });
    on.end_far();
    BOOST_TEST((clock::now() - begun < patience / 2));
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
    auto& here = on.make_recorder();
    auto& link = on.dial(here, where);
    BOOST_REQUIRE(here.wait_open());
    on.send(link, 10, 1);
    BOOST_TEST(here.wait_closed());
    BOOST_TEST(second.accepted(0).closed() == 0U);
    on.near_loop().call([] {});  // Until the callback has returned, it needs its recorder.
  }
};

}  // namespace mailroom::tests
