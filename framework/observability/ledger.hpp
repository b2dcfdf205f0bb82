#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace mailroom {

/// What became of the messages of a node, or of several: those that it sent, and those that came.
/// By name: how many there were (`messages`), how many of them ended in each state or are still
/// `open`, and what is accounted for nowhere (`difference`). A plain value.
struct ledger {
  using account = std::map<std::string, std::int64_t>;

  account out;
  account in;

  ledger& operator+=(const ledger& other) {
    for (const auto& [name, count] : other.out) {
      out[name] += count;
    }
    for (const auto& [name, count] : other.in) {
      in[name] += count;
    }
    return *this;
  }

  friend bool operator==(const ledger&, const ledger&) = default;
};

}  // namespace mailroom
