#include <mailroom/services/host/node.hpp>
#include <mailroom/tools/mailroom/bench/load_options.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <mailroom/framework/base/text.hpp>

#include <cstdint>

namespace mailroom::bench {
namespace {

/// What is no size is told by who reads it.
result<void> check_payload(const std::string& text) {
  // A body is the list of arguments: what stands before the bytes counts.
  const std::uint64_t most = node_options{}.max_body - 6;
  const auto size = parse_size(text);
  if (size && *size > most) {
    return error(
        errc::invalid_value,
        "'" + text + "' is over the largest body, which takes " + std::to_string(most) + " bytes");
  }
  return {};
}

}  // namespace

void load_options::add_to(const cli::command& verb) {
  cli::add_number(verb,
                  "--in-flight",
                  what.in_flight,
                  "Messages that are out at a time",
                  "N",
                  1,
                  node_options{}.in_flight_per_peer);
  cli::add_size(verb, "--payload", what.payload, "Bytes of each, random").check(&check_payload);
  cli::add_number(
      verb, "--seconds", seconds, "How long to measure, after a short warm-up", "S", 0.01, 86'400);
  cli::add_cpu(verb, cpu);
  cli::add_json(verb, as_json);
}

void load_options::add_rate_to(const cli::command& verb, const std::string& help) {
  cli::add_number(verb, "--rate", what.rate, help, "R", 0, 1e9);
}

load load_options::chosen() const {
  load made = what;
  made.measured = std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
  return made;
}

}  // namespace mailroom::bench
