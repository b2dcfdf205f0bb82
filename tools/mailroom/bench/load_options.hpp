#pragma once

#include <mailroom/tools/mailroom/bench/figures.hpp>
#include <mailroom/tools/mailroom/command_line.hpp>

#include <optional>
#include <string>

namespace mailroom::bench {

/// With the server.
inline constexpr duration patience = std::chrono::seconds(10);

/// What all load generators can be told.
struct load_options {
  load what;
  std::string connect;
  double seconds = 2;
  std::optional<unsigned> cpu;
  bool as_json = false;

  void add_to(const cli::command& verb);
  void add_rate_to(const cli::command& verb, const std::string& help);

  /// After parsing.
  load chosen() const;
};

}  // namespace mailroom::bench
