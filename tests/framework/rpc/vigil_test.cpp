#include <mailroom/tests/framework/rpc/support/scripted.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <mailroom/framework/rpc/vigil.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <vector>

// What a process does that stood still for so long that its peers gave it up.

namespace mailroom::tests::vigil_test {
namespace {

struct watched {
  std::vector<duration> woken;
  time_point now{1h};
  rpc::vigil awake{3s, now, [this](duration still) { woken.push_back(still); }};

  bool pass_after(duration time) { return awake.pass(now += time); }
};

// An endpoint whose caller's session began in the first epoch.
struct serving {
  std::shared_ptr<script> with = std::make_shared<script>();
  stage s{scripted::described(with)};
  rpc::vigil awake{3s, s.now(), {}};

  serving() { s.watch(awake, awake.present()); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_vigil)

BOOST_AUTO_TEST_CASE(stays_in_one_epoch_while_the_control_thread_passes_by) {
  watched w;
  const auto began = w.awake.present();
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(!w.pass_after(2s));
    BOOST_TEST(w.awake.at(w.now + 2s) == began);
  }
  BOOST_TEST(w.woken.empty());
}

BOOST_AUTO_TEST_CASE(begins_a_new_epoch_when_it_stood_still_for_too_long) {
  watched w;
  const auto began = w.awake.present();
  BOOST_TEST(w.pass_after(5s));
  BOOST_TEST(w.awake.at(w.now) == began + 1);
  BOOST_TEST_REQUIRE(w.woken.size() == 1U);
  BOOST_TEST((w.woken.front() == 5s));
}

// Whichever thread runs first when the process goes on, it must not go on as before.
BOOST_AUTO_TEST_CASE(is_in_no_epoch_until_the_control_thread_has_noticed) {
  watched w;
  BOOST_TEST(w.awake.at(w.now + 5s) == rpc::vigil::none);
}

BOOST_AUTO_TEST_CASE(what_waited_does_not_start_afterwards) {
  for (const bool noticed : {false, true}) {
    serving one;
    const auto id = one.s.call_until(deadline(one.s.now() + 60s), "note", "ran");
    one.s.arrive();
    one.s.advance(5s);
    if (noticed) {
      BOOST_TEST(one.awake.pass(one.s.now()));
    }
    one.s.run();
    BOOST_TEST(one.with->log.empty());
    const auto got = one.s.of(id);
    BOOST_TEST(failed_with(got, errc::unreachable));
    BOOST_TEST((execution_of(got) == execution::not_run));
    BOOST_TEST(one.s.activation->counts().dropped.load() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(what_waited_starts_if_peers_had_patience) {
  serving one;
  const auto id = one.s.call("add", 1, 2);
  one.s.arrive();
  one.s.advance(2s);
  one.s.run();
  BOOST_TEST(one.s.of(id).as<int>() == 3);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::vigil_test
