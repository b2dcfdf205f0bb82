#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mailroom::rpc {

class activation;
class call_chain;
class method;

/// Which of an endpoint's instances a call goes to.
enum class sharing : std::uint8_t {
  balanced,  ///< To the least busy; in turn, if there are several such.
  by_key,    ///< Those with equal keys to the same; without a key as `balanced`.
};

constexpr std::string_view to_string(sharing how) noexcept {
  return how == sharing::balanced ? "balanced" : "by_key";
}

/// The actors behind one target. They outlive it.
/// @threadsafe
class instance_group {
 public:
  instance_group(std::vector<activation*> all, sharing how);

  /// Where a call goes, which is delivered there next. `within` is its chain; null: it has none.
  /// Does not allocate.
  activation& pick(const method& what,
                   std::span<const std::byte> arguments,
                   const call_chain* within) noexcept;

  std::span<activation* const> all() const noexcept { return all_; }
  sharing how() const noexcept { return how_; }

  /// The number, below `instances`, of the one that gets calls with this key, a MessagePack value.
  /// The same in every process, and in every version.
  static std::size_t number_for(std::span<const std::byte> key, std::size_t instances) noexcept;

 private:
  activation& choose(const method& what,
                     std::span<const std::byte> arguments,
                     const call_chain* within) noexcept;
  template <class Allowed>
  activation* least_busy(const Allowed& allowed) noexcept;
  activation* of_chain(const call_chain& within) const noexcept;

  const std::vector<activation*> all_;
  const sharing how_;
  std::atomic<std::size_t> turn_{0};  // Who is looked at first.
};

}  // namespace mailroom::rpc
