#pragma once

#include <mailroom/services/host/node.hpp>
#include <mailroom/tools/mailroom/bench/figures.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <mailroom/framework/base/text.hpp>

#include <cstdint>
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
        ->check(cli::whole_number(1, node_options{}.in_flight_per_peer))
        ->type_name("N");
    cli::add_size(verb, "--payload", what.payload, "Bytes of each, random")
        ->check([](const std::string& text) {
          // A body is the list of arguments: what stands before the bytes counts.
          const std::uint64_t most = node_options{}.max_body - 6;
          const auto size = parse_size(text);
          return size && *size > most ? "'" + text + "' is over the largest body, which takes " +
                                            std::to_string(most) + " bytes"
                                      : std::string();
        });
    verb.add_option("--seconds", seconds, "How long to measure, after a short warm-up")
        ->capture_default_str()
        ->check(cli::finite_number(0.01, 86'400))
        ->type_name("S");
    cli::add_cpu(verb, cpu);
    cli::add_json(verb, as_json);
  }

  void add_rate_to(CLI::App& verb, const std::string& help) {
    verb.add_option("--rate", what.rate, help)
        ->capture_default_str()
        ->check(cli::finite_number(0, 1e9))
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
