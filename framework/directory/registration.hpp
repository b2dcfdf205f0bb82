#pragma once

#include <mailroom/framework/rpc/node_labels.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace mailroom::directory {

/// What is looked for: a topic of an exchange. Exact matches only, never prefixes.
struct key {
  std::string exchange;
  std::string topic;

  friend auto operator<=>(const key&, const key&) = default;
};

/// What a node says of itself. A plain value.
///
/// One address is one process: of two incarnations at one address only the newer one is there.
struct registration {
  std::string node;  ///< As it calls itself.
  wire::identity incarnation{};
  /// When it started, milliseconds of the wall clock of its host: tells which of two incarnations
  /// at one address is the newer one, and operators since when it runs.
  std::int64_t born = 0;
  std::string address;      ///< Published: where its control plane is reached.
  std::vector<key> topics;  ///< That it serves; sorted, each once.
  rpc::node_labels labels;
  bool draining = false;  ///< It takes no new calls.

  friend bool operator==(const registration&, const registration&) = default;
};

/// Whether `a` outranks `b`, another incarnation at its address.
inline bool is_newer(const registration& a, const registration& b) noexcept {
  return a.born != b.born ? a.born > b.born : a.incarnation > b.incarnation;
}

/// An incarnation that is no longer at an address.
struct departure {
  std::string address;
  wire::identity incarnation{};
  bool lapsed = false;  ///< Its lease ran out; otherwise it left, or another took its place.

  friend bool operator==(const departure&, const departure&) = default;
};

}  // namespace mailroom::directory
