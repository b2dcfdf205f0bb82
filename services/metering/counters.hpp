#pragma once

#include <mailroom/services/metering/sample.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

// What can be told from two readings that cannot be told from one.

namespace mailroom::metering {

/// Remembers the last value of each counter. Used by one thread at a time.
class counters {
 public:
  struct step {
    double growth = 0;
    double seconds = 0;
  };

  /// How far a counter came since its last sample. Nothing for its first sample, for one that is
  /// not later than the last, and after a reset (a smaller value): how much it counted before that
  /// is not known.
  std::optional<step> advance(const sample& counter);

 private:
  struct reading {
    double value = 0;
    std::int64_t time_ns = 0;
  };
  std::map<std::pair<std::string, std::string>, reading> last_;
};

/// Percent of all cores' time that was busy since the last snapshot: cpu.util, from cpu.busy and
/// cpu.idle. Used by one thread at a time.
class cpu_utilization {
 public:
  /// Nothing for the first snapshot, after a reset, and for one without the two counters.
  std::optional<sample> next(std::span<const sample> snapshot);

 private:
  counters counters_;
};

}  // namespace mailroom::metering
