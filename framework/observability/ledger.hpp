#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace mailroom {

/// What became of the messages of a node, or of several: those that it sent, and those that came.
/// By name: how many there were (`messages`), how many of them ended in each state or are still
/// `open`, and what is accounted for nowhere (`difference`). A plain value.
struct ledger {
  using account = std::map<std::string, std::int64_t>;
  static constexpr std::size_t most_names = 32;  ///< In an account; ours has 13.

  account out;
  account in;

  /// Others may say anything: what goes beyond all numbers wraps, and names beyond `most_names` are
  /// passed over.
  ledger& operator+=(const ledger& other) {
    add(out, other.out);
    add(in, other.in);
    return *this;
  }

  friend bool operator==(const ledger&, const ledger&) = default;

 private:
  static void add(account& to, const account& more) {
    for (const auto& [name, count] : more) {
      const auto at = to.size() < most_names ? to.try_emplace(name, 0).first : to.find(name);
      if (at != to.end()) {
        at->second = static_cast<std::int64_t>(static_cast<std::uint64_t>(at->second) +
                                               static_cast<std::uint64_t>(count));
      }
    }
  }
};

}  // namespace mailroom
