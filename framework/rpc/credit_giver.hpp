#pragma once

#include <mailroom/framework/wire/envelope.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace mailroom::rpc {

/// What the peer of a data link may send us before it hears of more: credit comes back when calls
/// have been given to their endpoints or refused, many at once. On the loop's thread.
class credit_giver final {
 public:
  /// From here on the peer goes by it: so much it has at first.
  void begin(std::uint32_t messages, std::uint64_t bytes) noexcept {
    worth_giving_ = {std::max(messages / 2, 1U), std::max<std::uint64_t>(bytes / 2, 1)};
  }

  /// A call or cast of so many bytes.
  void spend(std::size_t bytes) noexcept {
    ++spent_.messages;
    spent_.bytes += bytes;
  }

  /// Asked when all of a frame is where it belongs: whether to give back `take` now.
  bool is_due() const noexcept {
    return (spent_.messages >= worth_giving_.messages || spent_.bytes >= worth_giving_.bytes) &&
           worth_giving_.messages != 0;
  }
  wire::credit take() noexcept { return std::exchange(spent_, {}); }

 private:
  wire::credit worth_giving_;  // Nothing: the peer does not go by it.
  wire::credit spent_;         // Since it was given back last.
};

}  // namespace mailroom::rpc
