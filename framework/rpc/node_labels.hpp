#pragma once

#include <cstdint>
#include <string>

namespace mailroom::rpc {

/// What a node says of itself so that callers can choose among servers. Hints: nothing is refused
/// because of them.
struct node_labels {
  static constexpr std::uint32_t usual_weight = 100;
  static constexpr std::uint32_t most_weight = 10'000;

  /// Where it stands ("rack-7"). Callers of the same zone call it rather than others; empty: not
  /// told.
  std::string zone;
  /// Its share of the calls, beside those of the others; 0: only what nobody else can take. By key
  /// all are alike, but for those with 0.
  std::uint32_t weight = usual_weight;
  std::string version;  ///< Of the program, for people and for rolling upgrades.

  friend bool operator==(const node_labels&, const node_labels&) = default;
};

}  // namespace mailroom::rpc
