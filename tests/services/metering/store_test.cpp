#include <mailroom/services/metering/store.hpp>

#include <boost/test/unit_test.hpp>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

using namespace mailroom;
using namespace mailroom::metering;

namespace {

constexpr std::int64_t second = 1'000'000'000;

sample made(const std::string& meter, double value, std::int64_t time_ns, bool counts = false) {
  return {.resource = "host",
          .meter = meter,
          .kind = std::string(counts ? cumulative : gauge),
          .unit = "B",
          .value = value,
          .time_ns = time_ns};
}

struct files {
  files() {
    std::string name = (std::filesystem::temp_directory_path() / "metering.XXXXXX").string();
    folder = ::mkdtemp(name.data()) == nullptr ? throw std::runtime_error("mkdtemp") : name;
    path = (folder / "metering.db").string();
  }
  files(const files&) = delete;
  files& operator=(const files&) = delete;
  ~files() { std::filesystem::remove_all(folder); }
  std::filesystem::path folder;
  std::string path;
};

std::int64_t stored(store& in, const std::vector<sample>& batch) {
  return in.add(batch).value();
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(metering_store, files)

BOOST_AUTO_TEST_CASE(counts_and_averages_each_meter_of_each_resource) {
  auto opened = store::open(path).value();
  auto other = made("memory.used", 7, second);
  other.resource = "another";
  BOOST_TEST(stored(opened,
                    {made("memory.used", 1, second),
                     made("memory.used", 3, 2 * second),
                     made("load.1m", 0.5, second),
                     other}) == 4);
  const auto rows = opened.statistics({}).value();
  BOOST_TEST_REQUIRE(rows.size() == 3U);
  BOOST_TEST(rows[0].meter == "load.1m");
  BOOST_TEST(rows[1].resource == "another");
  BOOST_TEST((rows[2] == statistic{"memory.used", "host", "gauge", "B", 2, 1, 2, 3, std::nullopt}));
}

BOOST_AUTO_TEST_CASE(gives_the_rate_of_counters) {
  auto opened = store::open(path).value();
  stored(opened,
         {made("c", 100, 1 * second, true),
          made("c", 400, 3 * second, true),
          made("c", 500, 5 * second, true)});
  BOOST_TEST(opened.statistics({}).value().front().rate.value() == 100.0);
}

BOOST_AUTO_TEST_CASE(counts_no_reset_as_growth) {
  auto opened = store::open(path).value();
  stored(opened,
         {made("c", 100, 1 * second, true),
          made("c", 300, 2 * second, true),
          made("c", 5, 3 * second, true),
          made("c", 105, 4 * second, true)});
  BOOST_TEST(opened.statistics({}).value().front().rate.value() == 100.0);
}

BOOST_AUTO_TEST_CASE(knows_no_rate_of_a_single_sample) {
  auto opened = store::open(path).value();
  stored(opened, {made("c", 100, second, true)});
  BOOST_TEST(!opened.statistics({}).value().front().rate.has_value());
}

BOOST_AUTO_TEST_CASE(does_not_mind_the_order_in_which_samples_come) {
  auto opened = store::open(path).value();
  stored(opened, {made("c", 300, 3 * second, true)});
  stored(opened, {made("c", 100, 1 * second, true), made("c", 200, 2 * second, true)});
  BOOST_TEST(opened.statistics({}).value().front().rate.value() == 100.0);
}

BOOST_AUTO_TEST_CASE(stores_a_batch_that_is_sent_again_only_once) {
  auto opened = store::open(path).value();
  const std::vector batch = {made("a", 1, second), made("b", 2, second)};
  BOOST_TEST(stored(opened, batch) == 2);
  BOOST_TEST(stored(opened, batch) == 0);
  BOOST_TEST(opened.statistics({}).value().front().count == 1);
}

BOOST_AUTO_TEST_CASE(selects_by_meter_resource_and_time) {
  auto opened = store::open(path).value();
  stored(opened,
         {made("a", 1, 1 * second),
          made("a", 2, 2 * second),
          made("a", 3, 3 * second),
          made("b", 9, 2 * second)});
  const auto rows =
      opened.statistics({.meter = "a", .from_ns = 2 * second, .until_ns = 3 * second}).value();
  BOOST_TEST_REQUIRE(rows.size() == 1U);
  BOOST_TEST(rows.front().count == 1);
  BOOST_TEST(rows.front().max == 2.0);
  BOOST_TEST(opened.statistics({.resource = "nobody"}).value().empty());
  BOOST_TEST(opened.statistics({}).value().size() == 2U);  // Nothing stays bound.
}

BOOST_AUTO_TEST_CASE(gives_the_latest_samples_in_order) {
  auto opened = store::open(path).value();
  stored(opened, {made("a", 1, 1), made("a", 2, 2), made("a", 3, 3), made("b", 4, 4)});
  const auto two = opened.samples("a", 2).value();
  BOOST_TEST_REQUIRE(two.size() == 2U);
  BOOST_TEST((two[0] == made("a", 2, 2)));
  BOOST_TEST((two[1] == made("a", 3, 3)));
  BOOST_TEST(opened.samples("", 10).value().size() == 4U);
  BOOST_TEST((opened.samples("a", -1).error() == errc::invalid_arguments));
}

BOOST_AUTO_TEST_CASE(stores_all_of_a_batch_or_nothing) {
  auto opened = store::open(path).value();
  auto odd = made("b", 1, 1);
  odd.kind = "sum";
  const auto refused = opened.add(std::vector{made("a", 1, 1), odd});
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error() == errc::invalid_arguments));
  BOOST_TEST(refused.error().message().starts_with("sample 2: "));
  BOOST_TEST(opened.statistics({}).value().empty());
  for (const double value :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    BOOST_TEST(!opened.add(std::vector{made("a", value, 1)}).has_value());
  }
  BOOST_TEST(!opened.add(std::vector{made("", 1, 1)}).has_value());
}

BOOST_AUTO_TEST_CASE(keeps_what_it_holds_across_a_restart) {
  {
    auto opened = store::open(path).value();
    stored(opened, {made("a", 1, 1)});
  }
  auto opened = store::open(path).value();
  BOOST_TEST(opened.statistics({}).value().size() == 1U);
}

BOOST_AUTO_TEST_CASE(says_which_file_cannot_be_opened) {
  const auto missing = store::open((folder / "no" / "such.db").string());
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error() == errc::io));
  BOOST_TEST(missing.error().message().find("such.db") != std::string::npos);

  std::ofstream(path) << std::string(4096, 'x');
  const auto foreign = store::open(path);
  BOOST_TEST_REQUIRE(!foreign.has_value());
  BOOST_TEST(foreign.error().message().find("not a database") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(goes_on_after_a_write_failed) {
  auto opened = store::open(path).value();
  stored(opened, {made("a", 1, 1)});
  // Somebody who holds the write lock makes every write fail.
  sqlite3* other = nullptr;
  BOOST_TEST_REQUIRE(sqlite3_open(path.c_str(), &other) == SQLITE_OK);
  BOOST_TEST(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto refused = opened.add(std::vector{made("a", 2, 2)});
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error() == errc::io));
  BOOST_TEST(refused.error().message().find("locked") != std::string::npos);
  sqlite3_close(other);
  BOOST_TEST(stored(opened, {made("a", 2, 2)}) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
