#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/instances.hpp>
#include <mailroom/framework/rpc/method.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace mailroom::rpc {
namespace {

// Counts of others' work lie in memory that others write: each that is looked at costs. Eight of
// many are as good as all (two already are nearly so).
constexpr std::size_t most_compared = 8;
constexpr std::size_t most_hashed = 4096;

// FNV-1a, whose low bits follow those of the bytes too closely, and the end of MurmurHash3, which
// mixes them.
class key_hash {
 public:
  void add(std::span<const std::byte> bytes) noexcept {
    for (const std::byte each : bytes) {
      hash_ = (hash_ ^ static_cast<std::uint64_t>(each)) * 0x100000001b3U;
    }
  }
  void add(char kind, std::uint64_t number) noexcept {
    std::array<std::byte, 9> bytes{static_cast<std::byte>(kind)};
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[i + 1] = static_cast<std::byte>(number >> (8 * i));
    }
    add(bytes);
  }
  std::uint64_t mixed() const noexcept {
    std::uint64_t hash = (hash_ ^ (hash_ >> 33U)) * 0xff51afd7ed558ccdU;
    hash = (hash ^ (hash >> 33U)) * 0xc4ceb9fe1a85ec53U;
    return hash ^ (hash >> 33U);
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

// How many bytes stand before the content of a text or of bytes; 0 if it is neither.
std::size_t content_at(std::span<const std::byte> value) noexcept {
  const auto first = static_cast<unsigned>(value.front());
  switch (first) {
    case 0xc4:
    case 0xd9: return 2;
    case 0xc5:
    case 0xda: return 3;
    case 0xc6:
    case 0xdb: return 5;
    default: return first >= 0xa0 && first <= 0xbf ? 1 : 0;
  }
}

std::uint64_t hash_of(std::span<const std::byte> key) noexcept {
  key_hash hash;
  std::uint64_t whole = 0;
  std::int64_t below = 0;
  if (wire::cursor(key, nullptr).read(whole)) {
    hash.add('+', whole);
  } else if (wire::cursor(key, nullptr).read(below)) {
    hash.add('-', static_cast<std::uint64_t>(below));
  } else {
    // As short as can be written or not: what it says is the same.
    const auto content = key.subspan(content_at(key));
    hash.add('=', content.size());
    hash.add(content.first(std::min(content.size(), most_hashed)));
  }
  return hash.mixed();
}

// Empty: there is none, or none that can be read, which is answered where the call goes.
std::span<const std::byte> key_in(std::span<const std::byte> arguments,
                                  std::size_t position) noexcept {
  wire::cursor from(arguments, nullptr);
  std::span<const std::byte> key;
  if (from.array().value_or(0) <= position || !from.skip(position) || !from.read_raw(key)) {
    return {};
  }
  return key;
}

}  // namespace

instance_group::instance_group(std::vector<activation*> all, sharing how)
    : all_(std::move(all)), how_(how) {}

activation& instance_group::pick(const method& what,
                                 std::span<const std::byte> arguments,
                                 const call_chain* within) noexcept {
  activation& picked = choose(what, arguments, within);
  picked.expect();
  return picked;
}

activation& instance_group::choose(const method& what,
                                   std::span<const std::byte> arguments,
                                   const call_chain* within) noexcept {
  if (how_ == sharing::by_key) {
    if (const auto key = key_in(arguments, what.key_argument()); !key.empty()) {
      return *all_[number_for(key, all_.size())];
    }
  }
  const endpoint_definition& of = all_.front()->definition();
  if (within != nullptr && of.exclusive) {
    // Where it is waited for it could only be told so, or is let in at once.
    activation* good =
        of.lets_own_chain_in ? of_chain(*within) : least_busy([within](const activation& each) {
          return within->find(each.calls_out().number_of(&each), 0) == nullptr;
        });
    if (good != nullptr) {
      return *good;
    }
  }
  return *least_busy([](const activation&) { return true; });
}

std::size_t instance_group::number_for(std::span<const std::byte> key,
                                       std::size_t instances) noexcept {
  return static_cast<std::size_t>(((hash_of(key) >> 32U) * instances) >> 32U);
}

template <class Allowed>
activation* instance_group::least_busy(const Allowed& allowed) noexcept {
  const auto after = [this](std::size_t at) { return at + 1 == all_.size() ? 0 : at + 1; };
  activation* best = nullptr;
  std::size_t least = 0;
  std::size_t at = turn_.load(std::memory_order_relaxed);
  for (std::size_t i = std::min(all_.size(), most_compared); i > 0; --i, at = after(at)) {
    activation& each = *all_[at];
    if (!allowed(each)) {
      continue;
    }
    const std::size_t load = each.queued() + each.running();
    if (best == nullptr || load < least) {
      best = &each;
      least = load;
      turn_.store(after(at), std::memory_order_relaxed);
      if (load == 0) {
        break;
      }
    }
  }
  return best;
}

// The innermost call's.
activation* instance_group::of_chain(const call_chain& within) const noexcept {
  const auto& links = within.links();
  for (auto link = links.rbegin(); link != links.rend(); ++link) {
    for (activation* each : all_) {
      if (each->calls_out().number_of(each) == link->endpoint) {
        return each;
      }
    }
  }
  return nullptr;
}

}  // namespace mailroom::rpc
