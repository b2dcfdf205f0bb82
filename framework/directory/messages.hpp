#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/directory/registration.hpp>
#include <mailroom/framework/observability/ledger.hpp>
#include <mailroom/framework/wire/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// What nodes and an embedded directory say to each other: arguments and answers of its verbs, as
/// framework/wire/PROTOCOL.md lays them down. Pure functions, any thread. Every `read_x` trusts
/// nothing and fails with `errc::invalid_arguments`.
namespace mailroom::directory {

inline constexpr const char* register_verb = "directory.register";
inline constexpr const char* renew_verb = "directory.renew";
inline constexpr const char* leave_verb = "directory.leave";
inline constexpr const char* watch_verb = "directory.watch";
inline constexpr const char* list_verb = "directory.list";
inline constexpr const char* departed_verb = "directory.departed";

/// What became of a registration.
enum class standing : std::uint8_t {
  accepted = 0,
  fenced = 1,  ///< A newer incarnation holds the address.
};

struct receipt {
  standing as = standing::accepted;
  std::uint32_t renew_ms = 1000;  ///< Renew so often,
  std::uint32_t lease_ms = 3000;  ///< or be forgotten after this.
};

/// What a node wants to know, and what it knows. Answered when something has happened since
/// `revision` that concerns its keys, or after `wait_ms`.
struct question {
  wire::identity watcher{};    ///< Who asks: its question before is then answered, with nothing.
  wire::identity epoch{};      ///< Of the directory whose revision this is; all 0: none yet.
  std::uint64_t revision = 0;  ///< What is older is known,
  std::vector<key> keys;       ///< of these,
  std::vector<key> fresh;      ///< and nothing of these: they are answered at once.
  bool all = false;            ///< All nodes with all that they serve, in place of keys.
  std::uint32_t wait_ms = 0;
};

struct news {
  wire::identity epoch{};  ///< Of this directory process; another one counts anew.
  std::uint64_t revision = 0;
  /// This is all there is: who is not named here has no lease.
  bool complete = false;
  /// The directory began so recently that nodes may still be on their way back to it.
  std::uint32_t settling_ms = 0;
  std::vector<departure> left;       ///< To be read before `joined`.
  std::vector<registration> joined;  ///< New or changed; of topics only those asked for.

  bool is_empty() const noexcept { return !complete && left.empty() && joined.empty(); }
};

/// A registration as operators see it.
struct listed {
  registration what;
  std::uint64_t age_ms = 0;      ///< Since it registered,
  std::uint64_t renewed_ms = 0;  ///< and since it was last heard of.
};

struct listing {
  wire::identity epoch{};
  std::uint64_t age_ms = 0;       ///< Of the directory.
  std::uint64_t watchers = 0;     ///< Questions that wait for news.
  std::uint64_t watch_bytes = 0;  ///< Of all questions and their answers so far.
  std::vector<listed> nodes;      ///< By address.
};

/// The last word of a node that leaves.
struct farewell {
  wire::identity incarnation{};
  std::string node;
  std::string address;  ///< Empty: it was only a client.
  ledger counted;
  std::uint64_t counted_ms = 0;  ///< For how long.
};

/// A node that is no longer there.
struct departed {
  farewell last;
  bool lapsed = false;       ///< It has not said what it counted.
  std::uint64_t age_ms = 0;  ///< Since it left.
};

/// Nodes that left so long ago that they are known no more, together.
struct earlier_departures {
  std::uint64_t left = 0;
  std::uint64_t lapsed = 0;
  ledger counted;
};

struct departures {
  std::vector<departed> nodes;  ///< The newest last.
  earlier_departures earlier;
};

void write(wire::buffer& into, const registration& what);
void write(wire::buffer& into, const receipt& what);
void write(wire::buffer& into, const question& what);
void write(wire::buffer& into, const news& what);
void write(wire::buffer& into, const listing& what);
void write(wire::buffer& into, const wire::identity& incarnation);
void write(wire::buffer& into, const farewell& what);
void write(wire::buffer& into, const departures& what);

result<registration> read_registration(std::span<const std::byte> from);
result<receipt> read_receipt(std::span<const std::byte> from);
result<question> read_question(std::span<const std::byte> from);
result<news> read_news(std::span<const std::byte> from);
result<listing> read_listing(std::span<const std::byte> from);
result<wire::identity> read_incarnation(std::span<const std::byte> from);
result<farewell> read_farewell(std::span<const std::byte> from);
result<departures> read_departures(std::span<const std::byte> from);

}  // namespace mailroom::directory
