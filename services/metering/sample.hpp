#pragma once

#include <mailroom/framework/wire/body.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Values, as they travel and as they are stored. JSON names are those of the members.
namespace mailroom::metering {

/// The value stands for itself: percent, bytes used.
inline constexpr std::string_view gauge = "gauge";
/// A counter that only grows, but for a restart of what counts: bytes since boot.
inline constexpr std::string_view cumulative = "cumulative";

/// One reading of one meter.
struct sample {
  std::string resource;  ///< Whose: "host7", "host7:vda", "host7:eth0".
  std::string meter;     ///< What: "cpu.busy", "network.incoming.bytes".
  std::string kind;      ///< `gauge` or `cumulative`.
  std::string unit;      ///< "ns", "%", "B", "process".
  double value = 0;
  std::int64_t time_ns = 0;  ///< Since 1970, UTC.

  MSGPACK_DEFINE_MAP(resource, meter, kind, unit, value, time_ns)

  friend bool operator==(const sample&, const sample&) = default;
};

/// Which samples a query is about; what is not given does not matter.
struct filter {
  std::optional<std::string> meter;
  std::optional<std::string> resource;
  std::optional<std::int64_t> from_ns;   ///< Not before.
  std::optional<std::int64_t> until_ns;  ///< Before.

  MSGPACK_DEFINE_MAP(meter, resource, from_ns, until_ns)
};

/// All samples of one meter of one resource in a few figures. See statistics.sql.
struct statistic {
  std::string meter;
  std::string resource;
  std::string kind;
  std::string unit;
  std::int64_t count = 0;
  double min = 0;
  double avg = 0;
  double max = 0;
  /// Cumulative meters: growth per second from the first sample to the last, resets not counted.
  std::optional<double> rate;

  MSGPACK_DEFINE_MAP(meter, resource, kind, unit, count, min, avg, max, rate)

  friend bool operator==(const statistic&, const statistic&) = default;
};

}  // namespace mailroom::metering
