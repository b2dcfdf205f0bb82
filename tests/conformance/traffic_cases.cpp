// Sizes, numbers and orders of messages.

#include <mailroom/tests/conformance/cases.hpp>

#include <algorithm>
#include <numeric>

namespace mailroom::tests {
namespace {

std::vector<int> up_to(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

void check_notes(stage& at, int count) {
  BOOST_TEST((at.probes().call<std::vector<int>>("noted").value() == up_to(count)));
  at.check_ran("noted", count);
}

}  // namespace

void carries_sixteen_mebibytes_both_ways(const combination& of) {
  stage at(of);
  std::string large(std::size_t{16} << 20U, ' ');
  std::iota(large.begin(), large.end(), '\0');
  const bytes body{std::string_view(large)};
  const auto same = at.probes().call<bytes>("same", body);
  BOOST_REQUIRE_MESSAGE(same, why(same));
  BOOST_TEST((*same == body));
  at.check_ran("same", 1);
  const auto text = at.probes().call<said>("plain", large);
  BOOST_REQUIRE_MESSAGE(text, why(text));
  BOOST_TEST((text->text == large));
  at.check_thread(*text);
}

void refuses_arguments_over_the_limit(const combination& of) {
  stage at(of, {.max_body = 100'000});
  const auto got = at.probes().call<said>("plain", std::string(100'001, 'x'));
  BOOST_REQUIRE(!got);
  BOOST_TEST(code_of(got) == "too_large");
  BOOST_TEST(to_string(got.error().execution()) == to_string(execution::not_run));
  at.check_ran("plain", 0);
  const auto fits = at.probes().call<said>("plain", std::string(99'000, 'x'));
  BOOST_REQUIRE_MESSAGE(fits, why(fits));
  at.check_thread(*fits);
}

void refuses_a_result_over_the_limit(const combination& of) {
  stage at(of, {.max_body = 100'000});
  const auto got = at.probes().call<std::string>("make", 100'001);
  BOOST_REQUIRE(!got);
  BOOST_TEST(code_of(got) == "too_large");
  BOOST_TEST(to_string(got.error().execution()) == to_string(execution::ran_and_failed));
  at.check_ran("made", 1);
  BOOST_TEST(at.probes().call<std::string>("make", 99'000).value().size() == 99'000U);
  at.check_ran("made", 2);
}

void casts_arrive(const combination& of) {
  stage at(of);
  for (int i = 0; i < 100; ++i) {
    const auto sent = at.probes().cast("note", i);
    BOOST_REQUIRE_MESSAGE(sent, why(sent));
  }
  BOOST_REQUIRE(eventually([&] { return at.server().count("noted") == 100; }));
  // Through a client of its own each, and yet: one link, one topic.
  check_notes(at, 100);
  BOOST_TEST(code_of(client(*at.caller, {.topic = "nobody"}).cast("note", 1)) == "no_server");
}

void fanout_reaches_every_server(const combination& of) {
  stage at(of, {.servers = 2});
  for (int i = 0; i < 100; ++i) {
    BOOST_REQUIRE(at.probes().fanout().cast("note", i).has_value());
  }
  for (std::size_t i = 0; i < 2; ++i) {
    BOOST_TEST(eventually([&] { return at.server(i).count("noted") == 100; }));
    at.check_ran("noted", 100, i);
  }
  for (const auto* name : {"first", "second"}) {
    BOOST_TEST((at.probes().prepare({.server = name}).call<std::vector<int>>("noted").value() ==
                up_to(100)));
  }
  BOOST_TEST(client(*at.caller, {.topic = "nobody"}).fanout().cast("note", 1).has_value());
  BOOST_TEST(code_of(at.probes().fanout().call<int>("add", 1, 2)) == "invalid_target");
  at.check_ran("added", 0, 0);
  at.check_ran("added", 0, 1);
}

void balances_and_names_servers(const combination& of) {
  stage at(of, {.servers = 2});
  for (int i = 0; i < 10; ++i) {
    at.check_thread(at.probes().call<said>("plain", "x").value());
  }
  at.check_ran("plain", 5, 0);
  at.check_ran("plain", 5, 1);
  for (int i = 0; i < 10; ++i) {
    at.check_thread(at.probes().prepare({.server = "second"}).call<said>("plain", "x").value());
  }
  const auto third = at.probes().prepare({.server = "third"}).call<said>("plain", "x");
  BOOST_TEST(code_of(third) == "no_server");
  at.check_ran("plain", 5, 0);
  at.check_ran("plain", 15, 1);
}

void starts_calls_in_the_order_of_a_thread(const combination& of) {
  stage at(of);
  const auto probes = at.probes();
  std::vector<std::future<result<void>>> out;
  for (int i = 0; i < 1000; ++i) {
    out.push_back(probes.future_call<void>("note", i));
  }
  for (auto& each : out) {
    BOOST_REQUIRE(each.get().has_value());
  }
  check_notes(at, 1000);
}

void starts_calls_in_the_order_of_a_coroutine(const combination& of) {
  stage at(of);
  at.run([](context& ctx) -> task<void> {
    const auto probes = ctx.client({.topic = "probe"});
    std::vector<call_operation<void>> out;
    for (int i = 0; i < 1000; ++i) {
      out.push_back(probes.async_call<void>("note", i));
    }
    for (const auto& each : co_await gather(std::move(out))) {
      each.value();
    }
  });
  check_notes(at, 1000);
}

void answers_each_of_ten_thousand_once(const combination& of) {
  constexpr int rounds = 2000;
  stage at(of);
  // Five kinds of calls; each round has one of each.
  int answered = 0;
  int failed = 0;
  int refused = 0;
  int wrong = 0;
  at.run([&](context& ctx) -> task<void> {
    const auto probes = ctx.client({.topic = "probe"});
    const auto tell = [&](const result<said>& got, const std::string& text, errc expected) {
      if (got) {
        ++(expected == errc::ok && got->text == text && at.is_handler_thread(got->thread) ? answered
                                                                                          : wrong);
      } else {
        ++(got.error() == expected ? expected == errc::handler_failed ? failed : refused : wrong);
      }
    };
    std::vector<call_operation<said>> out;
    for (int i = 0; i < rounds; ++i) {
      const auto text = std::to_string(i);
      out.push_back(probes.async_call<said>("plain", text));
      out.push_back(probes.async_call<said>("coroutine", text));
      out.push_back(probes.async_call<said>("suspending", text));
      out.push_back(probes.async_call<said>("throws", text));
      out.push_back(probes.async_call<said>("no_such", text));
    }
    int number = 0;
    for (const auto& got : co_await gather(std::move(out))) {
      const int kind = number % 5;
      tell(got,
           std::to_string(number / 5),
           kind < 3    ? errc::ok
           : kind == 3 ? errc::handler_failed
                       : errc::no_such_method);
      ++number;
    }
  });
  BOOST_TEST(answered == 3 * rounds);
  BOOST_TEST(failed == rounds);
  BOOST_TEST(refused == rounds);
  BOOST_TEST(wrong == 0);
  // A second answer to any would have been counted as late.
  BOOST_TEST(at.probes().call<int>("add", 1, 2).value() == 3);
  const rpc::connector& calls = *at.caller;
  BOOST_TEST(calls.counts().late.load() == 0U);
  at.check_ran("threw", rounds);
}

}  // namespace mailroom::tests
