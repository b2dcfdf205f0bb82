#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/observability/line_limiter.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::tests {
namespace {

class manual_clock final : public platform {
 public:
  time_point now() const noexcept override { return time_point(now_.load()); }
  void random(std::span<std::byte> bytes) override { system().random(bytes); }
  std::thread start_thread(const std::string& name, std::function<void()> body) override {
    return system().start_thread(name, std::move(body));
  }
  void advance(duration by) { now_ = now_.load() + by; }

 private:
  std::atomic<duration> now_{1h};  // The log's own thread may look.
};

// Catches the lines of one test.
struct fixture {
  fixture() {
    log::set_platform(&clock);
    log::set_sink([this](log::level, std::string_view line) { lines.emplace_back(line); });
  }
  ~fixture() {
    log::set_sink({});
    log::set_platform(nullptr);
    log::set_level(log::level::info);
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;

  manual_clock clock;
  std::vector<std::string> lines;
};

std::string shown(log::value what) {
  std::string line;
  what.append_to(line);
  return line;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(log_lines, fixture)

BOOST_AUTO_TEST_CASE(tell_level_event_and_fields) {
  log::info("ready", {{"address", "tcp://127.0.0.1:7001"}, {"loops", 2}, {"took", 1500us}});
  BOOST_TEST_REQUIRE(lines.size() == 1U);
  BOOST_TEST(lines[0] == "info ready address=tcp://127.0.0.1:7001 loops=2 took=1.5ms");
}

BOOST_AUTO_TEST_CASE(below_the_level_are_not_written) {
  log::debug("hidden");
  log::set_level(log::level::debug);
  log::debug("seen");
  log::set_level(log::level::off);
  log::error("hidden");
  log::warn_limited("anybody", "hidden");
  BOOST_TEST_REQUIRE(lines.size() == 1U);
  BOOST_TEST(lines[0] == "debug seen");
}

BOOST_AUTO_TEST_CASE(cannot_be_broken_by_what_they_show) {
  log::warn("odd", {{"text", "a\nerror forged x=1\r\t\"\\\x1b[31m\x7f"}});
  BOOST_TEST_REQUIRE(lines.size() == 1U);
  BOOST_TEST(lines[0] == R"(warn odd text="a\nerror forged x=1\r\t\"\\\x1b[31m\x7f")");
}

BOOST_AUTO_TEST_CASE(quote_what_is_not_a_plain_word) {
  BOOST_TEST(shown("") == R"("")");
  BOOST_TEST(shown("two words") == R"("two words")");
  BOOST_TEST(shown("a=b") == R"("a=b")");
  BOOST_TEST(shown(std::string("plain-1.0_x")) == "plain-1.0_x");
}

BOOST_AUTO_TEST_CASE(show_text_in_utf8_and_escape_what_is_not) {
  BOOST_TEST(shown("żółw 亀 🐢") == "\"żółw 亀 🐢\"");
  BOOST_TEST(shown("\xff\xc0\xaf\xe0\x80\x80") == R"("\xff\xc0\xaf\xe0\x80\x80")");
  BOOST_TEST(shown("\xc5") == R"("\xc5")");
  BOOST_TEST(shown("\xed\xa0\x80") == R"("\xed\xa0\x80")");  // Half of a surrogate pair.
  BOOST_TEST(shown("\xc2\x9b") == R"("\xc2\x9b")");          // A control of C1.
  BOOST_TEST(shown("\xe2\x80\xa8") == R"("\xe2\x80\xa8")");  // A line separator.
  BOOST_TEST(shown("\xe2\x80\xae") == R"("\xe2\x80\xae")");  // Right to left.
  BOOST_TEST(shown(std::string_view("a\0b", 3)) == R"("a\x00b")");
}

BOOST_AUTO_TEST_CASE(cut_long_values) {
  BOOST_TEST(shown(std::string(log::max_value, 'x')) == std::string(log::max_value, 'x'));
  const std::string shown_of_it = std::string(log::max_value, 'x').append("...+5");
  BOOST_TEST(shown(std::string(log::max_value + 5, 'x')) == shown_of_it);
}

BOOST_AUTO_TEST_CASE(show_numbers_and_durations_exactly) {
  BOOST_TEST(shown(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  BOOST_TEST(shown(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  BOOST_TEST(shown(std::uint8_t{7}) == "7");
  BOOST_TEST(shown(true) == "true");
  BOOST_TEST(shown(0.1) == "0.1");
  BOOST_TEST(shown(std::numeric_limits<double>::max()).size() < 30U);
  BOOST_TEST(shown(std::numeric_limits<double>::quiet_NaN()) == "nan");
  BOOST_TEST(shown(2s) == "2000ms");
  BOOST_TEST(shown(250ns) == "0.00025ms");
  BOOST_TEST(shown(-1500us) == "-1.5ms");
  BOOST_TEST(shown(-500us) == "-0.5ms");
  BOOST_TEST(shown(0ns) == "0ms");
  BOOST_TEST(shown(duration::min()) == "-9223372036854.775808ms");
}

BOOST_AUTO_TEST_CASE(of_a_group_are_ten_a_second_and_the_rest_is_counted) {
  for (int i = 0; i < 25; ++i) {
    log::warn_limited("10.0.0.1", "garbage", {{"n", i}});
  }
  log::warn_limited("10.0.0.2", "garbage");
  BOOST_TEST(lines.size() == 11U);
  BOOST_TEST(lines.back() == "warn garbage");
  clock.advance(999ms);
  log::warn_limited("10.0.0.1", "garbage");
  BOOST_TEST(lines.size() == 11U);
  clock.advance(1ms);
  log::warn_limited("10.0.0.1", "garbage");
  log::warn_limited("10.0.0.1", "garbage");
  BOOST_TEST_REQUIRE(lines.size() == 13U);
  BOOST_TEST(lines[11] == "warn garbage suppressed=16");
  BOOST_TEST(lines[12] == "warn garbage");
}

BOOST_AUTO_TEST_CASE(that_were_suppressed_last_are_told_at_the_end) {
  const auto before = log::suppressed_lines();
  for (int i = 0; i < 25; ++i) {
    log::warn_limited("10.0.0.1", "garbage");
  }
  log::tell_suppressed();
  BOOST_TEST_REQUIRE(lines.size() == 11U);
  BOOST_TEST(lines.back() == "warn lines_suppressed group=10.0.0.1 suppressed=15");
  log::tell_suppressed();
  BOOST_TEST(lines.size() == 11U);
  BOOST_TEST(log::suppressed_lines() == before + 15);
}

// The count was lost when the flood ended.
BOOST_AUTO_TEST_CASE(that_were_suppressed_last_are_told_within_seconds_if_no_other_follows) {
  std::promise<std::string> told;
  log::set_platform(nullptr);
  log::set_sink([&](log::level, std::string_view line) {
    if (line.find("lines_suppressed") != std::string_view::npos) {
      told.set_value(std::string(line));
    }
  });
  for (int i = 0; i < 25; ++i) {
    log::warn_limited("10.0.0.1", "garbage");
  }
  auto line = told.get_future();
  BOOST_TEST_REQUIRE((line.wait_for(10s) == std::future_status::ready));
  BOOST_TEST(line.get() == "warn lines_suppressed group=10.0.0.1 suppressed=15");
}

BOOST_AUTO_TEST_CASE(may_be_written_by_many_threads) {
  constexpr int each = 500;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < each; ++i) {
          log::info("line", {{"thread", t}, {"i", i}});
          log::warn_limited("shared", "limited");
        }
      });
    }
  }
  BOOST_TEST(lines.size() == 4U * each + log::lines_per_second);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(line_limiter)

BOOST_AUTO_TEST_CASE(admits_no_more_than_its_lines_in_any_window) {
  log::line_limiter limiter(3, 10s, 8);
  const time_point start{1h};
  for (const auto second : {0s, 8s, 9s}) {
    BOOST_TEST(limiter.admit("a", start + second).has_value());
  }
  BOOST_TEST(!limiter.admit("a", start + 9s));
  BOOST_TEST((limiter.admit("a", start + 10s) == 1U));  // The one of second 0 has left the window,
  BOOST_TEST(!limiter.admit("a", start + 11s));         // those of 8 and 9 have not.
}

BOOST_AUTO_TEST_CASE(remembers_a_bounded_number_of_groups) {
  log::line_limiter limiter(1, 1s, 4);
  const time_point start{1h};
  std::size_t admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    admitted += limiter.admit(std::to_string(i), start).has_value() ? 1U : 0U;
  }
  BOOST_TEST(limiter.size() == 4U);
  BOOST_TEST(admitted == 5U);  // Four groups, and all the others together.
  // When the four are quiet, others take their places.
  BOOST_TEST(limiter.admit("new", start + 1s).has_value());
  BOOST_TEST(limiter.size() == 1U);
}

BOOST_AUTO_TEST_CASE(tells_of_groups_that_fell_silent) {
  log::line_limiter limiter(2, 1s, 1);
  const time_point start{1h};
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(limiter.admit("a", start));
    static_cast<void>(limiter.admit("b", start));  // Shares.
  }
  BOOST_TEST(limiter.refused() == 6U);
  BOOST_TEST(limiter.has_untold());
  BOOST_TEST(limiter.take_untold(start + 999ms).empty());
  const auto told = limiter.take_untold(start + 1s);
  BOOST_TEST_REQUIRE(told.size() == 2U);
  BOOST_TEST((told[0] == std::pair<std::string, std::uint64_t>("a", 3)));
  BOOST_TEST((told[1] == std::pair<std::string, std::uint64_t>("", 3)));
  BOOST_TEST(!limiter.has_untold());
  BOOST_TEST((limiter.admit("a", start + 1s) == 0U));
  BOOST_TEST(!limiter.admit("a", start + 1s));  // What was told was a line, too.
  BOOST_TEST(limiter.take_untold(start + 1s).empty());
  BOOST_TEST(limiter.take_untold(start + 1s, true).size() == 1U);
}

BOOST_AUTO_TEST_CASE(loses_no_count_when_it_forgets_a_group) {
  log::line_limiter limiter(1, 1s, 1);
  const time_point start{1h};
  BOOST_TEST(limiter.admit("a", start).has_value());
  BOOST_TEST(!limiter.admit("a", start));
  BOOST_TEST((limiter.admit("b", start + 2s) == 0U));  // Takes the place of a.
  BOOST_TEST((limiter.admit("c", start + 2s) == 1U));  // Shares, and tells what a could not.
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests
