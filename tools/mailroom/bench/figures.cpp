#include <mailroom/tools/mailroom/bench/figures.hpp>
#include <mailroom/tools/mailroom/command.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>

#include <cmath>
#include <iostream>

namespace mailroom::bench {
namespace {

double rounded(double value, double to) {
  return std::round(value / to) * to;
}

nlohmann::ordered_json per_100k(const std::optional<duration>& cpu, std::uint64_t calls) {
  if (!cpu || calls == 0) {
    return nullptr;
  }
  const double seconds = std::chrono::duration<double>(*cpu).count();
  return std::round(seconds * 1e5 / static_cast<double>(calls) * 1e6) / 1e6;
}

nlohmann::ordered_json all(const figures& of) {
  nlohmann::ordered_json out;
  out["calls"] = of.calls;
  out["calls_per_s"] = rounded(of.calls_per_s, 1);
  if (of.one_way) {
    out["received_per_s"] = rounded(of.received_per_s, 1);
  }
  if (of.latency.total() > 0 || !of.one_way) {
    out["p50_us"] = std::round(of.latency.quantile_us(0.5) * 100) / 100;
    out["p99_us"] = std::round(of.latency.quantile_us(0.99) * 100) / 100;
    out["p999_us"] = std::round(of.latency.quantile_us(0.999) * 100) / 100;
  }
  out["errors"] = of.errors;
  out["client_cpu_s_per_100k"] = per_100k(of.client_cpu, of.calls);
  out["server_cpu_s_per_100k"] = per_100k(of.server_cpu, of.calls);
  return out;
}

}  // namespace

std::string figures::json() const {
  return cli::json_text(all(*this));
}

std::string figures::text() const {
  const auto shown = all(*this);
  std::string lines;
  for (const auto& [name, value] : shown.items()) {
    lines += name + std::string(24 - std::min<std::size_t>(name.size(), 23), ' ') +
             (value.is_null() ? "-" : cli::json_text(value)) + '\n';
  }
  lines.pop_back();
  return lines;
}

int report(const std::string& verb, const figures& measured, bool as_json) {
  if (measured.calls == 0) {
    return cli::failed(
        verb,
        measured.errors != 0 ? measured.first_error : "0 calls measured: none ended in the time");
  }
  std::cout << (as_json ? measured.json() : measured.text()) << std::endl;
  if (measured.errors != 0) {
    cli::complain(verb,
                  std::to_string(measured.errors) + " errors, the first: " + measured.first_error);
    return 1;
  }
  return 0;
}

}  // namespace mailroom::bench
