#include <mailroom/services/metering/table.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>

namespace mailroom::metering {
namespace {

constexpr double ns_per_second = 1e9;

std::string fixed(double value, int decimals) {
  std::array<char, 64> text{};
  // A double of 309 digits is no meter's; beyond 1e15 nobody reads all the digits either.
  const int size = std::abs(value) < 1e15
                       ? std::snprintf(text.data(), text.size(), "%.*f", decimals, value)
                       : std::snprintf(text.data(), text.size(), "%.4g", value);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string readable_bytes(double bytes) {
  constexpr std::array<std::string_view, 6> units = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  while (std::abs(bytes) >= 999.95 && unit + 1 < units.size()) {
    bytes /= 1000;
    ++unit;
  }
  return fixed(bytes, unit == 0 ? 0 : 1) + " " + std::string(units[unit]);
}

/// Cells below each other; the first `left` columns begin, the others end at one line.
std::string aligned(const std::vector<std::vector<std::string>>& rows, std::size_t left) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      line += (i == 0 ? "" : "  ") + (i < left ? row[i] + padding : padding + row[i]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string clock_text(std::int64_t time_ns) {
  const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
  std::tm parts{};
  std::array<char, 16> text{};
  if (localtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%H:%M:%S", &parts) == 0) {
    return "--:--:--";
  }
  return text.data();
}

// The columns of the live table beside time and number of samples.
struct column {
  std::string_view meter;
  std::string_view title;
  int width;
};
constexpr std::array<column, 7> live_columns = {{{"cpu.busy", "cpu", 10},
                                                 {"memory.used", "memory", 9},
                                                 {"load.1m", "load", 6},
                                                 {"disk.read.bytes", "disk read", 12},
                                                 {"disk.write.bytes", "disk write", 12},
                                                 {"network.incoming.bytes", "net in", 12},
                                                 {"network.outgoing.bytes", "net out", 12}}};

std::string right(std::string_view text, int width) {
  const auto wide = static_cast<std::size_t>(width);
  return std::string(text.size() < wide ? wide - text.size() : 0, ' ') + std::string(text);
}

}  // namespace

std::string readable(double value, std::string_view unit) {
  if (unit == "B") {
    return readable_bytes(value);
  }
  if (unit == "ns") {
    return fixed(value / ns_per_second, 2) + " s";
  }
  if (unit == "%") {
    return fixed(value, 1) + " %";
  }
  const auto number = fixed(value, 2);
  return unit.empty() || unit == "process" ? number : number + " " + std::string(unit);
}

std::string readable_rate(double per_second, std::string_view unit) {
  if (unit == "ns") {
    return fixed(per_second / ns_per_second, 2) + " cores";
  }
  return readable(per_second, unit) + "/s";
}

std::string number_text(double value) {
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.15g", value);
  std::string number(text.data(), static_cast<std::size_t>(size));
  if (number.find_first_of(".n") == std::string::npos) {  // Neither a point nor inf or nan.
    number.insert(std::min(number.find('e'), number.size()), ".0");
  }
  return number;
}

std::string statistics_table(std::span<const statistic> rows) {
  std::vector<std::vector<std::string>> cells = {
      {"METER", "RESOURCE", "COUNT", "MIN", "AVG", "MAX", "RATE"}};
  for (const auto& row : rows) {
    cells.push_back({row.meter,
                     row.resource,
                     std::to_string(row.count),
                     readable(row.min, row.unit),
                     readable(row.avg, row.unit),
                     readable(row.max, row.unit),
                     row.rate ? readable_rate(*row.rate, row.unit) : "-"});
  }
  return aligned(cells, 2);
}

std::string statistics_json(std::span<const statistic> rows) {
  const auto quoted = [](const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  std::string text = "[";
  for (const auto& row : rows) {
    text += text.size() == 1 ? "\n" : ",\n";
    text += "  {\"meter\": " + quoted(row.meter) + ", \"resource\": " + quoted(row.resource) +
            ", \"kind\": " + quoted(row.kind) + ", \"unit\": " + quoted(row.unit) +
            ", \"count\": " + std::to_string(row.count) + ", \"min\": " + number_text(row.min) +
            ", \"avg\": " + number_text(row.avg) + ", \"max\": " + number_text(row.max) +
            ", \"rate\": " + (row.rate ? number_text(*row.rate) : "null") + "}";
  }
  return text + "\n]\n";
}

std::string live_table::head() {
  std::string line = "time      samples";
  for (const auto& each : live_columns) {
    line += "  " + right(each.title, each.width);
  }
  return line;
}

std::string live_table::row(std::span<const sample> batch) {
  struct total {
    double value = 0;
    bool rate = false;
    std::string unit;
  };
  std::map<std::string_view, total> totals;
  std::int64_t latest = 0;
  for (const auto& each : batch) {
    latest = std::max(latest, each.time_ns);
  }
  // Of several moments in one batch, the counters' growth adds up over all of them.
  std::map<std::string_view, std::map<std::string_view, double>> seconds;
  for (const auto& each : batch) {
    if (each.kind == cumulative) {
      if (const auto step = counters_.advance(each)) {
        auto& sum = totals[each.meter];
        sum.value += step->growth;
        sum.rate = true;
        sum.unit = each.unit;
        seconds[each.meter][each.resource] += step->seconds;
      }
    } else if (each.time_ns == latest) {
      totals[each.meter] = {.value = each.value, .rate = false, .unit = each.unit};
    }
  }
  std::string line = clock_text(latest) + "  " + right(std::to_string(batch.size()), 7);
  for (const auto& each : live_columns) {
    std::string cell = "-";
    if (const auto found = totals.find(each.meter); found != totals.end()) {
      const auto& sum = found->second;
      double over = 0;
      for (const auto& [resource, span] : seconds[each.meter]) {
        over = std::max(over, span);
      }
      cell = sum.rate ? readable_rate(sum.value / over, sum.unit) : readable(sum.value, sum.unit);
    }
    line += "  " + right(cell, each.width);
  }
  return line;
}

}  // namespace mailroom::metering
