#pragma once

#include <mailroom/tools/mailroom/bench/figures.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <optional>
#include <string>

namespace mailroom::bench {

/// What all load generators can be told.
struct load_options {
  load what;
  std::string connect;
  double seconds = 2;
  std::optional<unsigned> cpu;
  bool as_json = false;

  void add_to(CLI::App& verb) {
    verb.add_option("--in-flight", what.in_flight, "Messages that are out at a time")
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
        ->type_name("N");
    cli::add_size(verb, "--payload", what.payload, "Bytes of each, random");
    verb.add_option("--seconds", seconds, "How long to measure, after a short warm-up")
        ->capture_default_str()
        ->check(CLI::Range(0.01, 86'400.0))
        ->type_name("S");
    cli::add_cpu(verb, cpu);
    cli::add_json(verb, as_json);
  }

  void add_rate_to(CLI::App& verb, const std::string& help) {
    verb.add_option("--rate", what.rate, help)
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1e9))
        ->type_name("R");
  }

  /// After parsing.
  load chosen() const {
    load made = what;
    made.measured = std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
    return made;
  }
};

}  // namespace mailroom::bench
