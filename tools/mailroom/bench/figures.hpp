#pragma once

#include <mailroom/tools/mailroom/bench/histogram.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace mailroom::bench {

/// What a load generator does.
struct load {
  std::size_t in_flight = 32;
  std::size_t payload = 64;                           ///< Bytes of each.
  duration warm_up = std::chrono::milliseconds(300);  ///< Not counted.
  duration measured = std::chrono::seconds(2);
  double rate = 0;  ///< A second, each made when it is due; 0: as many as the window allows.

  /// From one to the next at that rate; zero without one.
  duration period() const noexcept {
    constexpr double longest = 1e5;  // Over all that is measured.
    return rate > 0 ? std::chrono::duration_cast<duration>(
                          std::chrono::duration<double>(std::min(1 / rate, longest)))
                    : duration::zero();
  }
};

/// The part of a run that counts.
struct window {
  explicit window(const load& what)
      : begins(clock::now() + what.warm_up), ends(begins + what.measured) {}
  bool holds(time_point t) const noexcept { return t >= begins && t < ends; }

  time_point begins;
  time_point ends;
};

/// What was measured.
struct figures {
  bool one_way = false;       ///< Casts.
  std::uint64_t calls = 0;    ///< Calls answered, or casts received, in the window.
  double calls_per_s = 0;     ///< Answered; one way: sent, counted by the client.
  double received_per_s = 0;  ///< One way: counted by the server.
  histogram latency = {};     ///< Of calls; of bursts of casts, until they were received.
  std::uint64_t errors = 0;   ///< Failed, wrong or missing.
  std::string first_error = {};
  std::optional<duration> client_cpu = {};
  std::optional<duration> server_cpu = {};

  void failed(const std::string& why) {
    if (++errors == 1) {
      first_error = why;
    }
  }

  /// One JSON object.
  std::string json() const;
  /// For people, over several lines.
  std::string text() const;
};

/// Prints the figures on stdout and a first error on stderr. The exit code: 0, or 1 if something
/// failed or nothing was measured.
int report(const std::string& verb, const figures& measured, bool as_json);

}  // namespace mailroom::bench
