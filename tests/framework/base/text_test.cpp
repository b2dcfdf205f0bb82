#include <mailroom/framework/base/text.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::tests::text_test {
BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(counts_slips_of_the_pen) {
  BOOST_TEST(edit_distance("", "") == 0U);
  BOOST_TEST(edit_distance("", "abc") == 3U);
  BOOST_TEST(edit_distance("listen", "lisen") == 1U);
  BOOST_TEST(edit_distance("listen", "lsiten") == 1U);
  BOOST_TEST(edit_distance("kitten", "sitting") == 3U);
}

BOOST_AUTO_TEST_CASE(shows_what_a_terminal_would_obey) {
  BOOST_TEST(is_shown("echo-1, \"K\xc3\xb6ln\""));
  for (const std::string_view bad :
       {"\x1b[31m", "a\nb", "\x7f", "\xff", "\xe2\x80\xae", "\xc2\x9b"}) {
    BOOST_TEST(!is_shown(bad));
    BOOST_TEST(is_shown(shown(bad)));
  }
  BOOST_TEST(shown("a\n\x1b\xff") == "a\\n\\x1b\\xff");
}

BOOST_AUTO_TEST_CASE(finds_the_name_that_was_meant) {
  const std::vector<std::string> known = {"loop-bound", "cooperative", "work-stealing"};
  BOOST_TEST(nearest("loopbound", known) == "loop-bound");
  BOOST_TEST(nearest("cooperativ", known) == "cooperative");
  BOOST_TEST(nearest("eventlet", known) == "");
  BOOST_TEST(nearest("x", {}) == "");
}

BOOST_AUTO_TEST_CASE(reads_durations) {
  BOOST_TEST((*parse_duration("250ms") == 250ms));
  BOOST_TEST((*parse_duration("2s") == 2s));
  BOOST_TEST((*parse_duration("1.5s") == 1500ms));
  BOOST_TEST((*parse_duration("0.3s") == 300ms));
  BOOST_TEST((*parse_duration("0.000000001s") == 1ns));
  BOOST_TEST((*parse_duration("0.5us") == 500ns));
  BOOST_TEST((*parse_duration("5m") == 5min));
  BOOST_TEST((*parse_duration("1.25h") == 75min));
  BOOST_TEST((*parse_duration("1d") == 24h));
  BOOST_TEST((*parse_duration("0") == 0s));
}

BOOST_AUTO_TEST_CASE(refuses_what_is_no_duration) {
  for (const auto* wrong :
       {"", "2", "s", "-1s", "+1s", "2 s", "2S", "1.s", ".5s", "1e3s", "2s ", "fast", "200000d"}) {
    BOOST_TEST_CONTEXT(wrong) {
      const auto parsed = parse_duration(wrong);
      BOOST_REQUIRE(!parsed);
      BOOST_TEST((parsed.error() == errc::invalid_value));
    }
  }
  BOOST_TEST(parse_duration("2x").error().message() ==
             "'2x' is no duration (write 250ms, 2s or 5m)");
  for (const std::string text : {"200000d", "99999999999s", "99999999999999999999s"}) {
    BOOST_TEST(parse_duration(text).error().message() ==
               "'" + text + "' is too long (at most 292 years)");
  }
}

BOOST_AUTO_TEST_CASE(writes_durations_as_it_reads_them) {
  for (const auto* written : {"0s", "1ns", "999us", "250ms", "2s", "90s", "5m", "36h", "7d"}) {
    BOOST_TEST(format_duration(*parse_duration(written)) == written);
  }
  BOOST_TEST(format_duration(1500ms) == "1500ms");
}

BOOST_AUTO_TEST_CASE(reads_sizes) {
  BOOST_TEST(*parse_size("0") == 0U);
  BOOST_TEST(*parse_size("512") == 512U);
  BOOST_TEST(*parse_size("512B") == 512U);
  BOOST_TEST(*parse_size("64KiB") == 65536U);
  BOOST_TEST(*parse_size("10MB") == 10'000'000U);
  BOOST_TEST(*parse_size("2GiB") == 2147483648U);
  BOOST_TEST(*parse_size("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
}

BOOST_AUTO_TEST_CASE(refuses_what_is_no_size) {
  for (const auto* wrong : {"",
                            "KiB",
                            "-1",
                            "1.5MiB",
                            "64 KiB",
                            "64kib",
                            "18446744073709551616",
                            "18446744073709551615KiB"}) {
    BOOST_TEST_CONTEXT(wrong) {
      BOOST_TEST(!parse_size(wrong));
    }
  }
}

BOOST_AUTO_TEST_CASE(writes_sizes_as_it_reads_them) {
  for (const auto* written : {"0B", "1B", "1000B", "64KiB", "16MiB", "3GiB"}) {
    BOOST_TEST(format_size(*parse_size(written)) == written);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::text_test
