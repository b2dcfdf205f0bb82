#include <mailroom/services/metering/counters.hpp>

#include <cmath>

namespace mailroom::metering {

std::optional<counters::step> counters::advance(const sample& counter) {
  const reading now{.value = counter.value, .time_ns = counter.time_ns};
  const auto [found, first] = last_.try_emplace({counter.resource, counter.meter}, now);
  if (first) {
    return std::nullopt;
  }
  const auto before = std::exchange(found->second, now);
  if (now.time_ns <= before.time_ns || now.value < before.value) {
    return std::nullopt;
  }
  return step{.growth = now.value - before.value,
              .seconds = static_cast<double>(now.time_ns - before.time_ns) / 1e9};
}

std::optional<sample> cpu_utilization::next(std::span<const sample> snapshot) {
  std::optional<counters::step> busy;
  std::optional<counters::step> idle;
  const sample* origin = nullptr;
  for (const auto& each : snapshot) {
    if (each.meter == "cpu.busy") {
      busy = counters_.advance(each);
      origin = &each;
    } else if (each.meter == "cpu.idle") {
      idle = counters_.advance(each);
    }
  }
  if (!busy || !idle || busy->growth + idle->growth <= 0) {
    return std::nullopt;
  }
  const auto percent = 100 * busy->growth / (busy->growth + idle->growth);
  return sample{.resource = origin->resource,
                .meter = "cpu.util",
                .kind = std::string(gauge),
                .unit = "%",
                .value = std::round(percent * 100) / 100,
                .time_ns = origin->time_ns};
}

}  // namespace mailroom::metering
