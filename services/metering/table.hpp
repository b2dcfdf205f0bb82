#pragma once

#include <mailroom/services/metering/counters.hpp>
#include <mailroom/services/metering/sample.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Meters for people's eyes, and as JSON. Pure, but for what `live_table` remembers.

namespace mailroom::metering {

/// "1.53 GB", "12.5 %", "3.20 s", "0.52".
std::string readable(double value, std::string_view unit);

/// "48.1 MB/s"; nanoseconds of work per second are "1.02 cores".
std::string readable_rate(double per_second, std::string_view unit);

/// A number as SQLite shows it: 15 significant digits, and it can be seen that it is no integer.
std::string number_text(double value);

/// Rows under a head, each on a line of its own.
std::string statistics_table(std::span<const statistic> rows);

/// An array of objects, each on a line of its own. A gauge's rate is null.
std::string statistics_json(std::span<const statistic> rows);

/// What arrives, a row for each batch: the gauges of its last moment, and how fast counters grew
/// since the batch before, disks and interfaces added up.
class live_table {
 public:
  static std::string head();
  std::string row(std::span<const sample> batch);

 private:
  counters counters_;
};

}  // namespace mailroom::metering
