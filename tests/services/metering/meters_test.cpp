#include <mailroom/services/metering/backlog.hpp>
#include <mailroom/services/metering/counters.hpp>
#include <mailroom/services/metering/proc_reader.hpp>
#include <mailroom/services/metering/snapshots.hpp>
#include <mailroom/services/metering/table.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace mailroom::metering;

namespace {

const sample* find(const std::vector<sample>& all,
                   const std::string& meter,
                   const std::string& resource) {
  for (const auto& each : all) {
    if (each.meter == meter && each.resource == resource) {
      return &each;
    }
  }
  return nullptr;
}

double value(const std::vector<sample>& all,
             const std::string& meter,
             const std::string& resource = "host") {
  const auto* found = find(all, meter, resource);
  return found == nullptr ? throw std::runtime_error("no " + meter + " of " + resource)
                          : found->value;
}

sample counter(const std::string& meter, double value, std::int64_t seconds) {
  return {.resource = "host",
          .meter = meter,
          .kind = std::string(cumulative),
          .unit = "ns",
          .value = value,
          .time_ns = seconds * 1'000'000'000};
}

struct scratch {
  scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "metering.XXXXXX").string();
    path = ::mkdtemp(name.data()) == nullptr ? throw std::runtime_error("mkdtemp") : name;
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(proc_reader)

BOOST_AUTO_TEST_CASE(reads_busy_and_idle_time_of_all_cores) {
  proc_snapshot from;
  from.time_ns = 77;
  from.stat =
      "cpu  134385 28465 28728 455391 1920 7 533 93 4 2\n"
      "cpu0 60510 15522 12901 235285 462 0 24 47 0 0\n"
      "intr 7 8\n";
  const auto meters = parse_proc(from);
  BOOST_TEST(meters.size() == 2U);
  BOOST_TEST(value(meters, "cpu.busy") == (134385.0 + 28465 + 28728 + 7 + 533 + 93) * 1e7);
  BOOST_TEST(value(meters, "cpu.idle") == (455391.0 + 1920) * 1e7);
  BOOST_TEST(meters.front().kind == "cumulative");
  BOOST_TEST(meters.front().unit == "ns");
  BOOST_TEST(meters.front().time_ns == 77);
}

BOOST_AUTO_TEST_CASE(reads_the_four_columns_of_old_kernels) {
  proc_snapshot from;
  from.stat = "cpu 1 2 3 4\n";
  const auto meters = parse_proc(from);
  BOOST_TEST(value(meters, "cpu.busy") == 6e7);
  BOOST_TEST(value(meters, "cpu.idle") == 4e7);
}

BOOST_AUTO_TEST_CASE(reads_memory_in_use) {
  proc_snapshot from;
  from.meminfo = "MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable:  400 kB\n";
  const auto meters = parse_proc(from);
  BOOST_TEST(value(meters, "memory.used") == 600.0 * 1024);
  BOOST_TEST(value(meters, "memory.available") == 400.0 * 1024);
}

BOOST_AUTO_TEST_CASE(reads_the_load) {
  proc_snapshot from;
  from.loadavg = "6.73 4.38 2.50 9/137 862\n";
  const auto meters = parse_proc(from);
  BOOST_TEST(meters.size() == 3U);
  BOOST_TEST(value(meters, "load.1m") == 6.73);
  BOOST_TEST(value(meters, "load.15m") == 2.5);
}

BOOST_AUTO_TEST_CASE(reads_whole_disks_and_neither_partitions_nor_memory) {
  proc_snapshot from;
  from.hostname = "node7\n";
  from.diskstats =
      "   7  0 loop0 1 0 9 0 1 0 9 0 0 0 0\n"
      "   1  0 ram0 1 0 9 0 1 0 9 0 0 0 0\n"
      " 253  0 zram0 1 0 9 0 1 0 9 0 0 0 0\n"
      "   8  1 sda1 1 0 10 0 1 0 20 0 0 0 0\n"
      "   8  0 sda 1 0 100 0 1 0 200 0 0 0 0 1 2 3 4 5 6\n"
      "   8 16 sdaa 1 0 5 0 1 0 6 0 0 0 0\n"
      " 259  0 nvme0n1 1 0 7 0 1 0 8 0 0 0 0\n"
      " 259  1 nvme0n1p2 1 0 7 0 1 0 8 0 0 0 0\n"
      " 252  0 dm-1 1 0 1 0 1 0 2 0 0 0 0\n"
      " 252  1 dm-10 1 0 1 0 1 0 2 0 0 0 0\n"
      " 202  1 xvda1 1 0 3 0 1 0 4 0 0 0 0\n";
  const auto meters = parse_proc(from);
  BOOST_TEST(meters.size() == 12U);
  BOOST_TEST(value(meters, "disk.read.bytes", "node7:sda") == 51'200.0);
  BOOST_TEST(value(meters, "disk.write.bytes", "node7:sda") == 102'400.0);
  BOOST_TEST(find(meters, "disk.read.bytes", "node7:sdaa"));
  BOOST_TEST(find(meters, "disk.read.bytes", "node7:nvme0n1"));
  BOOST_TEST(find(meters, "disk.read.bytes", "node7:dm-1"));
  BOOST_TEST(find(meters, "disk.read.bytes", "node7:dm-10"));
  BOOST_TEST(find(meters, "disk.read.bytes", "node7:xvda1"));  // Its disk is not listed.
}

BOOST_AUTO_TEST_CASE(reads_every_interface) {
  proc_snapshot from;
  from.net_dev =
      "Inter-|   Receive                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n"
      "    lo:    3267  29 0 0 0 0 0 0 3268 29 0 0 0 0 0 0\n"
      "eth0:1:479393184 10912 0 0 0 0 0 0 614010 7885 0 0 0 0 0 0\n";
  const auto meters = parse_proc(from);
  BOOST_TEST(meters.size() == 4U);
  BOOST_TEST(value(meters, "network.incoming.bytes", "host:lo") == 3267.0);
  BOOST_TEST(value(meters, "network.outgoing.bytes", "host:lo") == 3268.0);
  BOOST_TEST(value(meters, "network.incoming.bytes", "host:eth0:1") == 479'393'184.0);
}

BOOST_AUTO_TEST_CASE(reads_counters_around_and_beyond_32_bits) {
  proc_snapshot from;
  from.net_dev =
      "a: 4294967295 0 0 0 0 0 0 0 4294967296\n"
      "b: 9007199254740992 0 0 0 0 0 0 0 18446744073709551615\n";
  const auto meters = parse_proc(from);
  BOOST_TEST(value(meters, "network.incoming.bytes", "host:a") == 4'294'967'295.0);
  BOOST_TEST(value(meters, "network.outgoing.bytes", "host:a") == 4'294'967'296.0);
  BOOST_TEST(value(meters, "network.incoming.bytes", "host:b") == 9'007'199'254'740'992.0);
}

BOOST_AUTO_TEST_CASE(passes_over_lines_that_make_no_sense) {
  proc_snapshot from;
  from.stat = "cpu x y\n\ncpu\n\0\xff\n";
  from.meminfo = "MemTotal: many kB\nMemAvailable:\n";
  from.loadavg = "inf nan -1";
  from.diskstats = "8 0\n8 0 sda 1 0 -5 0 1 0 9 0\n8 0 sdb 1 0 99999999999999999999 0 1 0 9 0\n";
  from.net_dev = ":::\n:\nlo: 1 2\nlo: 1.5 0 0 0 0 0 0 0 1\n two names: 1 0 0 0 0 0 0 0 1\n";
  BOOST_TEST(parse_proc(from).empty());
}

BOOST_AUTO_TEST_CASE(reads_the_rest_when_files_are_missing) {
  const scratch root;
  std::filesystem::create_directories(root.path / "net");
  std::ofstream(root.path / "loadavg") << "0.5 0.25 0.125 1/2 3";
  const auto snapshot = read_proc(root.path, 5);
  BOOST_TEST_REQUIRE(snapshot.has_value());
  BOOST_TEST(parse_proc(*snapshot).size() == 3U);
}

BOOST_AUTO_TEST_CASE(says_that_a_folder_is_no_proc) {
  const scratch root;
  const auto snapshot = read_proc(root.path, 5);
  BOOST_TEST_REQUIRE(!snapshot.has_value());
  BOOST_TEST(snapshot.error().to_string().find(root.path.string()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(reads_this_machine) {
  const auto snapshot = read_proc("/proc", 5);
  BOOST_TEST_REQUIRE(snapshot.has_value());
  const auto meters = parse_proc(*snapshot);
  BOOST_TEST(meters.size() >= 7U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(snapshots)

BOOST_AUTO_TEST_CASE(come_back_as_they_were_recorded_in_order_of_time) {
  const scratch folder;
  proc_snapshot later;
  later.time_ns = 1'000'000'000'000;
  later.stat = "cpu 1 2 3 4\n";
  later.net_dev = "lo: 1 0 0 0 0 0 0 0 1\n";
  proc_snapshot earlier;
  earlier.time_ns = 999;
  earlier.hostname = "node7\n";
  BOOST_TEST(record_snapshot(folder.path, later).has_value());
  BOOST_TEST(record_snapshot(folder.path, earlier).has_value());
  std::filesystem::create_directory(folder.path / "12x");
  std::ofstream(folder.path / "13") << "no folder";

  const auto moments = recorded_moments(folder.path);
  BOOST_TEST(moments == (std::vector<std::int64_t>{999, 1'000'000'000'000}),
             boost::test_tools::per_element());
  const auto again = read_proc(snapshot_path(folder.path, later.time_ns), later.time_ns);
  BOOST_TEST_REQUIRE(again.has_value());
  BOOST_TEST(again->stat == later.stat);
  BOOST_TEST(again->net_dev == later.net_dev);
  BOOST_TEST(again->meminfo.empty());
}

BOOST_AUTO_TEST_CASE(of_a_folder_that_is_not_there_are_none) {
  BOOST_TEST(recorded_moments("/nowhere/at/all").empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(counters_)

BOOST_AUTO_TEST_CASE(grow_between_two_samples) {
  counters seen;
  BOOST_TEST(!seen.advance(counter("a", 10, 1)).has_value());
  BOOST_TEST(!seen.advance(counter("b", 500, 1)).has_value());
  const auto step = seen.advance(counter("a", 30, 3));
  BOOST_TEST_REQUIRE(step.has_value());
  BOOST_TEST(step->growth == 20);
  BOOST_TEST(step->seconds == 2);
}

BOOST_AUTO_TEST_CASE(begin_anew_after_a_reset) {
  counters seen;
  seen.advance(counter("a", 4'294'967'290, 1));
  BOOST_TEST(!seen.advance(counter("a", 4, 2)).has_value());
  const auto step = seen.advance(counter("a", 14, 3));
  BOOST_TEST_REQUIRE(step.has_value());
  BOOST_TEST(step->growth == 10);
}

BOOST_AUTO_TEST_CASE(do_not_go_back_in_time) {
  counters seen;
  seen.advance(counter("a", 1, 5));
  BOOST_TEST(!seen.advance(counter("a", 2, 5)).has_value());
  BOOST_TEST(!seen.advance(counter("a", 3, 4)).has_value());
}

BOOST_AUTO_TEST_CASE(tell_how_busy_the_cores_were) {
  cpu_utilization cpu;
  BOOST_TEST(!cpu.next(std::vector{counter("cpu.busy", 10, 1), counter("cpu.idle", 90, 1)}));
  const auto percent =
      cpu.next(std::vector{counter("cpu.busy", 11, 2), counter("cpu.idle", 92, 2)});
  BOOST_TEST_REQUIRE(percent.has_value());
  BOOST_TEST(percent->meter == "cpu.util");
  BOOST_TEST(percent->kind == "gauge");
  BOOST_TEST(percent->value == 33.33);
  BOOST_TEST(percent->time_ns == 2'000'000'000);
  BOOST_TEST(!cpu.next(std::vector{counter("cpu.busy", 11, 3), counter("cpu.idle", 92, 3)}));
  BOOST_TEST(!cpu.next({}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(backlog_)

BOOST_AUTO_TEST_CASE(keeps_the_newest_and_counts_what_it_drops) {
  backlog kept(3);
  kept.add({counter("a", 1, 1), counter("a", 2, 2)});
  kept.add({counter("a", 3, 3), counter("a", 4, 4), counter("a", 5, 5)});
  BOOST_TEST(kept.size() == 3U);
  BOOST_TEST(kept.dropped() == 2U);
  const auto two = kept.oldest(2);
  BOOST_TEST_REQUIRE(two.size() == 2U);
  BOOST_TEST(two.front().value == 3);
  kept.confirm(2);
  BOOST_TEST(kept.oldest(9).size() == 1U);
  kept.confirm(9);
  BOOST_TEST(kept.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(table)

BOOST_AUTO_TEST_CASE(shows_values_as_people_say_them) {
  BOOST_TEST(readable(0, "B") == "0 B");
  BOOST_TEST(readable(999, "B") == "999 B");
  BOOST_TEST(readable(52'428'800, "B") == "52.4 MB");
  BOOST_TEST(readable(1.5e18, "B") == "1500.0 PB");
  BOOST_TEST(readable(3.2e9, "ns") == "3.20 s");
  BOOST_TEST(readable(51.23, "%") == "51.2 %");
  BOOST_TEST(readable(6.73, "process") == "6.73");
  BOOST_TEST(readable_rate(1.02e9, "ns") == "1.02 cores");
  BOOST_TEST(readable_rate(48.1e6, "B") == "48.1 MB/s");
}

BOOST_AUTO_TEST_CASE(writes_numbers_as_sqlite_does) {
  BOOST_TEST(number_text(0) == "0.0");
  BOOST_TEST(number_text(-3) == "-3.0");
  BOOST_TEST(number_text(0.1) == "0.1");
  BOOST_TEST(number_text(1.0 / 3) == "0.333333333333333");
  BOOST_TEST(number_text(8'101'117'952.0) == "8101117952.0");
  BOOST_TEST(number_text(1e18) == "1.0e+18");
  BOOST_TEST(number_text(1.5e-7) == "1.5e-07");
}

BOOST_AUTO_TEST_CASE(writes_statistics_as_json) {
  const std::vector<statistic> rows = {
      {"load.1m", "a\"b", "gauge", "process", 2, 0.5, 0.75, 1, std::nullopt},
      {"cpu.busy", "h", "cumulative", "ns", 1, 1, 1, 1, 2.5}};
  BOOST_TEST(statistics_json(rows) ==
             "[\n"
             "  {\"meter\": \"load.1m\", \"resource\": \"a\\\"b\", \"kind\": \"gauge\", "
             "\"unit\": \"process\", \"count\": 2, \"min\": 0.5, \"avg\": 0.75, \"max\": 1.0, "
             "\"rate\": null},\n"
             "  {\"meter\": \"cpu.busy\", \"resource\": \"h\", \"kind\": \"cumulative\", "
             "\"unit\": \"ns\", \"count\": 1, \"min\": 1.0, \"avg\": 1.0, \"max\": 1.0, "
             "\"rate\": 2.5}\n"
             "]\n");
  BOOST_TEST(statistics_json({}) == "[\n]\n");
}

BOOST_AUTO_TEST_CASE(shows_each_batch_with_its_rates) {
  live_table table;
  const auto first = table.row(std::vector{counter("cpu.busy", 0, 1)});
  BOOST_TEST(first.find("cores") == std::string::npos);
  auto lo = counter("network.incoming.bytes", 1000, 1);
  auto eth = lo;
  lo.unit = eth.unit = "B";
  lo.resource = "host:lo";
  eth.resource = "host:eth0";
  table.row(std::vector{lo, eth});
  lo.value += 2e6;
  eth.value += 4e6;
  lo.time_ns += 2'000'000'000;
  eth.time_ns += 2'000'000'000;
  const auto row = table.row(std::vector{counter("cpu.busy", 3e9, 3), lo, eth});
  BOOST_TEST(row.find("1.50 cores") != std::string::npos);
  BOOST_TEST(row.find("3.0 MB/s") != std::string::npos);
  BOOST_TEST(row.size() == live_table::head().size());
}

BOOST_AUTO_TEST_SUITE_END()
