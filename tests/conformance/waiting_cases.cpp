// The ways of waiting: on fibers, in coroutines, on threads.

#include <mailroom/tests/conformance/cases.hpp>

#include <algorithm>

namespace mailroom::tests {
namespace {

client artisan_of(stage& at) {
  return {*at.caller, {.topic = "artisan"}};
}
client apprentice_of(stage& at) {
  return {*at.caller, {.topic = "apprentice"}};
}

bool is_blocking_thread(const std::string& name) {
  return name.starts_with("mr-block-");
}

void check_offload(stage& at, const std::string& method) {
  const auto threads = artisan_of(at).call<std::vector<std::string>>(method);
  BOOST_REQUIRE_MESSAGE(threads, why(threads));
  BOOST_REQUIRE(threads->size() == 3U);
  at.check_threads({threads->front(), threads->back()});
  BOOST_TEST(is_blocking_thread((*threads)[1]), (*threads)[1]);
}

}  // namespace

void answers_from_blocking_handlers(const combination& of) {
  stage at(of);
  const auto got = artisan_of(at).call<said>("block", 1);
  BOOST_REQUIRE_MESSAGE(got, why(got));
  BOOST_TEST(got->text == "blocked");
  BOOST_TEST(is_blocking_thread(got->thread), got->thread);
  // And the endpoint goes on where it was.
  at.check_thread(artisan_of(at).call<said>("plain").value());
}

void gives_blocking_handlers_their_endpoint_alone(const combination& of) {
  stage at(of);
  const auto to = artisan_of(at);
  std::vector<std::future<result<said>>> out;
  for (int i = 0; i < 20; ++i) {
    out.push_back(to.future_call<said>("beside"));
    out.push_back(to.future_call<said>("block", 1));
    out.push_back(to.future_call<said>("plain"));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto got = out[i].get();
    BOOST_REQUIRE_MESSAGE(got, why(got));
    if (got->text == "blocked") {
      BOOST_TEST(is_blocking_thread(got->thread), got->thread);
    } else {
      at.check_thread(*got);
    }
  }
  BOOST_TEST(at.server().count("blocked") == 20);
  BOOST_TEST(at.server().count("together") == 0);
}

void tells_blocking_handlers_of_the_stop(const combination& of) {
  stage at(of);
  auto holding = artisan_of(at).future_call<said>("hold");
  auto behind = artisan_of(at).future_call<said>("plain");
  BOOST_REQUIRE(eventually([&] { return at.server().count("holding") == 1; }));
  BOOST_TEST(!at.server().stop(50ms));
  const auto got = holding.get();
  BOOST_REQUIRE_MESSAGE(got, why(got));
  BOOST_TEST(is_blocking_thread(got->thread), got->thread);
  BOOST_TEST(at.server().count("told") == 1);
  BOOST_TEST(code_of(behind.get()) == "stopping");
}

void tells_handlers_that_their_caller_has_given_up(const combination& of) {
  stage at(of);
  {
    const auto holding = artisan_of(at).async_call<said>("hold");
    BOOST_REQUIRE(eventually([&] { return at.server().count("holding") == 1; }));
  }
  BOOST_TEST(eventually([&] { return at.server().count("told") == 1; }));
  at.check_thread(artisan_of(at).call<said>("plain").value());
}

void starts_calls_together_and_waits_for_them(const combination& of) {
  stage at(of);
  BOOST_TEST(artisan_of(at).call<int>("call_together").value() == 3);
  at.check_ran("called", 1);
  at.check_ran("crowded", 3);
}

void bridges_fibers_and_coroutines(const combination& of) {
  stage at(of);
  for (const auto* method : {"go_on_fiber", "wait_for_coroutine"}) {
    const auto threads = artisan_of(at).call<std::vector<std::string>>(method);
    BOOST_REQUIRE_MESSAGE(threads, why(threads));
    BOOST_REQUIRE(threads->size() == 4U);
    at.check_threads(*threads);
    BOOST_TEST((*threads)[1] == (*threads)[2]);
  }
}

void offloads_what_blocks(const combination& of) {
  stage at(of);
  check_offload(at, "offload");
  check_offload(at, "offload_on_fiber");
}

void locks_across_endpoints_and_waits(const combination& of) {
  stage at(of);
  const auto one = artisan_of(at);
  const auto other = apprentice_of(at);
  std::vector<std::future<result<said>>> out;
  for (int i = 0; i < 50; ++i) {
    out.push_back(one.future_call<said>("add_locked"));
    out.push_back(other.future_call<said>("add_locked_on_fiber"));
    out.push_back(one.future_call<said>("add_locked_on_fiber"));
    out.push_back(other.future_call<said>("add_locked"));
  }
  for (auto& each : out) {
    const auto got = each.get();
    BOOST_REQUIRE_MESSAGE(got, why(got));
    at.check_thread(*got);
  }
  BOOST_TEST(one.call<long>("total").value() == 200);
}

void passes_values_through_a_channel(const combination& of) {
  stage at(of);
  const auto one = artisan_of(at);
  const auto other = apprentice_of(at);
  auto low = one.future_call<said>("send", 1, 100);
  auto high = other.future_call<said>("send", 101, 100);
  auto first = one.future_call<said>("receive_on_fiber", 100);
  auto second = other.future_call<said>("receive_on_fiber", 100);
  long sum = 0;
  for (auto* each : {&first, &second}) {
    const auto got = each->get();
    BOOST_REQUIRE_MESSAGE(got, why(got));
    at.check_thread(*got);
    sum += std::stol(got->text);
  }
  BOOST_TEST(sum == 201L * 100);
  for (auto* each : {&low, &high}) {
    const auto got = each->get().value();
    BOOST_TEST(got.text == "sent");
    at.check_thread(got);
  }
  auto waiting = other.future_call<said>("receive_on_fiber", 1);
  BOOST_TEST(one.call<void>("close").has_value());
  const auto last = waiting.get().value();
  BOOST_TEST(last.text == "closed");
  at.check_thread(last);
}

void waits_for_what_a_thread_promises(const combination& of) {
  stage at(of);
  for (const std::string method : {"trust", "trust_on_fiber", "trust_while_blocking"}) {
    for (int i = 0; i < 20; ++i) {
      const auto got = artisan_of(at).call<said>(method);
      BOOST_REQUIRE_MESSAGE(got, why(got));
      BOOST_TEST(got->text == "kept");
      if (method == "trust_while_blocking") {
        BOOST_TEST(is_blocking_thread(got->thread), got->thread);
      } else {
        at.check_thread(*got);
      }
    }
  }
}

void waits_for_descriptors(const combination& of) {
  stage at(of);
  for (const std::string method : {"listen", "listen_on_fiber", "listen_while_blocking"}) {
    for (int i = 0; i < 20; ++i) {
      auto heard = artisan_of(at).future_call<said>(method);
      BOOST_TEST(apprentice_of(at).call<void>("speak", "a").has_value());
      const auto got = heard.get();
      BOOST_REQUIRE_MESSAGE(got, why(got));
      BOOST_TEST(got->text == "a");
      if (method == "listen_while_blocking") {
        BOOST_TEST(is_blocking_thread(got->thread), got->thread);
      } else {
        at.check_thread(*got);
      }
    }
  }
}

void limits_what_it_waits_for(const combination& of) {
  stage at(of);
  for (const auto* method : {"limit", "limit_on_fiber"}) {
    const auto got = artisan_of(at).call<said>(method);
    BOOST_REQUIRE_MESSAGE(got, why(got));
    BOOST_TEST(got->text == "expired");
    at.check_thread(*got);
  }
  BOOST_TEST(at.server().stop());  // Nothing endless is left.
}

void throws_on_what_it_caught_before_it_waited(const combination& of) {
  stage at(of);
  const auto to = artisan_of(at);
  const std::vector<std::string> methods{
      "rethrow_on_fiber", "rethrow_in_coroutine", "rethrow_while_blocking"};
  std::vector<std::future<result<said>>> out;
  for (std::size_t i = 0; i < 60; ++i) {
    out.push_back(to.future_call<said>(methods[i % methods.size()], std::to_string(i)));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto got = out[i].get();
    BOOST_REQUIRE(!got);
    BOOST_TEST(code_of(got) == "handler_failed", why(got));
    BOOST_TEST(got.error().message() == std::to_string(i));
    BOOST_TEST(got.error().type() == "std::out_of_range");
  }
  at.check_ran("threw on", 40);
  BOOST_TEST(at.server().count("blocked") == 20);
}

void ticks_until_it_is_told_to_stop(const combination& of) {
  stage at(of);
  const auto to = artisan_of(at);
  BOOST_TEST(to.call<void>("begin_ticking").has_value());
  BOOST_REQUIRE(eventually([&] { return at.server().count("ticks") >= 10; }));
  BOOST_TEST(to.call<void>("end_ticking").has_value());
  const long last = at.server().count("ticks");
  BOOST_TEST(to.call<said>("block", 10).has_value());
  BOOST_TEST(at.server().count("ticks") == last);
  at.check_ran("ticks", last);
  // A ticker is no reason not to stop.
  BOOST_TEST(to.call<void>("begin_ticking").has_value());
  BOOST_TEST(at.server().stop());
}

void refuses_to_wait_where_one_cannot(const combination& of) {
  stage at(of);
  for (const auto* method : {"wait_in_plain", "wait_in_coroutine"}) {
    const auto got = artisan_of(at).call<said>(method);
    BOOST_REQUIRE_MESSAGE(got, why(got));
    BOOST_TEST(got->text.starts_with("would_block"), got->text);
    for (const auto* word : {"artisan.wait_in_", "suspending", "co_await"}) {
      BOOST_TEST(got->text.find(word) != std::string::npos, got->text);
    }
    at.check_thread(*got);
  }
}

}  // namespace mailroom::tests
