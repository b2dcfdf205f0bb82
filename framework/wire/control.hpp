#pragma once

#include <mailroom/framework/wire/envelope.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Messages of the control plane: who is there, alive, leaving, and what an operator asks. Not on
/// the hot path: most bodies are MessagePack maps read into structs; unknown keys are skipped,
/// missing ones keep their default. Pure functions, any thread. Every `read_x` fails with
/// `errc::protocol_error` and trusts nothing.
namespace mailroom::wire {

/// What a control message may hold; a reader refuses more. An admin_reply is limited by its frame.
inline constexpr std::size_t max_control_payload = std::size_t{4} << 20U;  ///< Bytes.
inline constexpr std::size_t max_topics_payload = std::size_t{16}
                                                  << 20U;  ///< Bytes of a welcome or announce.
inline constexpr std::size_t max_topics = 65'536;
inline constexpr std::size_t max_addresses = 256;  ///< Data addresses, and with them I/O loops.
inline constexpr std::size_t max_capabilities = 64;

/// Capabilities, as hello and welcome name them: flow control by credits, large bodies in chunks.
inline constexpr std::string_view credits_capability = "credits";
inline constexpr std::string_view chunks_capability = "chunks";

/// 128 random bits: an incarnation (a process, from its start to its end) or a session.
using identity = std::array<std::byte, 16>;

/// A topic, and the I/O loop (an index into `welcome::data`) where it is at home.
struct topic_home {
  std::string exchange;
  std::string topic;
  std::uint32_t loop = 0;

  friend bool operator==(const topic_home&, const topic_home&) = default;
};

/// Bytes that it takes in a welcome or announce, at most.
std::size_t size_of(const topic_home& what) noexcept;

/// A node whose topics take more together cannot tell its peers: this leaves room for the largest
/// rest of a welcome.
inline constexpr std::size_t max_topics_size = std::size_t{14} << 20;  ///< Bytes.

/// How an I/O loop does: a counter that stands still while the queue ages is a stuck loop.
struct loop_state {
  std::uint64_t turns = 0;
  std::uint32_t oldest_queued_ms = 0;  ///< Of the calls that wait, at the last look.

  friend bool operator==(const loop_state&, const loop_state&) = default;
};

/// First message of the dialling side.
struct hello {
  std::string node;
  identity incarnation{};
  std::uint8_t min = protocol_version;  ///< Versions that it speaks, from `min`
  std::uint8_t max = protocol_version;  ///< to `max`.
  std::vector<std::string> capabilities;
  std::int64_t time = 0;  ///< Sender's clock, ns.
};
void write_hello(batch& into, const hello& what);
result<hello> read_hello(const message& from);

/// The highest version that both speak, if there is one.
std::optional<std::uint8_t> common_version(const hello& theirs) noexcept;

/// The answer to a hello that is accepted.
struct welcome {
  std::uint8_t version = protocol_version;  ///< The highest that both speak.
  std::string node;
  identity incarnation{};
  identity session{};         ///< What data links name when they attach.
  std::int64_t echo = 0;      ///< `hello::time`.
  std::int64_t received = 0;  ///< When the hello came, and
  std::int64_t sent = 0;      ///< when this left: answering side's clock, ns.
  std::uint32_t heartbeat_ms = 1000;
  std::uint32_t dead_after_ms = 3000;
  std::uint64_t max_frame = 0;    ///< Bytes of a frame,
  std::uint64_t max_body = 0;     ///< of a body,
  std::uint32_t in_flight = 0;    ///< and unanswered calls that it takes from this peer.
  std::vector<std::string> data;  ///< Address of each I/O loop's data socket.
  std::vector<topic_home> topics;
  std::vector<std::string> capabilities;  ///< Of those in hello: what is used in this session.
  std::uint64_t credit_bytes = 0;  ///< Of calls and casts that a data link may send at first.
};
void write_welcome(batch& into, const welcome& what);
result<welcome> read_welcome(const message& from);

/// The answer to a hello that is refused; the link ends after it.
struct reject {
  std::uint16_t code = 0;  ///< An `errc`.
  std::string reason;
  std::uint8_t min = protocol_version;
  std::uint8_t max = protocol_version;
  std::uint32_t retry_after_ms = 0;  ///< 0: no hint.
};
void write_reject(batch& into, const reject& what);
result<reject> read_reject(const message& from);

/// Heartbeat of the dialling side. Fixed field: time.
struct ping {
  std::int64_t time = 0;  ///< Sender's clock, ns.
  clock_relation clocks;  ///< The sender's to the receiver's, as the sender knows it best.
  std::vector<loop_state> loops;
};
void write_ping(batch& into, const ping& what);
result<ping> read_ping(const message& from);

/// Its answer. Fixed fields: echo, received, sent.
struct pong {
  std::int64_t echo = 0;  ///< `ping::time`.
  std::int64_t received = 0;
  std::int64_t sent = 0;
  std::vector<loop_state> loops;
  bool draining = false;    ///< No new calls, please.
  std::uint32_t peers = 0;  ///< Who would come back together if it went.
};
void write_pong(batch& into, const pong& what);
result<pong> read_pong(const message& from);

/// All topics served from now on; replaces the list in welcome.
struct announce {
  std::vector<topic_home> topics;
};
void write_announce(batch& into, const announce& what);
result<announce> read_announce(const message& from);

/// A topic of which every endpoint is stuck.
struct stuck_topic {
  std::string exchange;
  std::string topic;

  friend bool operator==(const stuck_topic&, const stuck_topic&) = default;
};

/// What does not move although calls wait there: new ones should go elsewhere. Replaces what was
/// said before.
struct stuck {
  std::vector<std::uint32_t> loops;  ///< Indexes into `welcome::data`.
  std::vector<stuck_topic> topics;

  friend bool operator==(const stuck&, const stuck&) = default;
};
void write_stuck(batch& into, const stuck& what);
result<stuck> read_stuck(const message& from);

/// The sender stops: no new calls, please; what is in flight is answered until the deadline.
struct goaway {
  std::string reason;
  std::uint32_t deadline_ms = 0;  ///< From now.
};
void write_goaway(batch& into, const goaway& what);
result<goaway> read_goaway(const message& from);

/// What an operator asks of a node. Fixed field: id. `arguments` is one MessagePack value and
/// points into the frame.
struct admin {
  std::uint64_t id = 0;
  std::string verb;
  std::span<const std::byte> arguments;
};
void write_admin(batch& into, const admin& what);
result<admin> read_admin(const message& from);

/// The answer: a value (one MessagePack value, points into the frame), or why not.
struct admin_reply {
  std::uint64_t id = 0;
  errc code = errc::ok;
  std::span<const std::byte> value;  ///< If `code` is ok.
  std::string message;               ///< If it is not.
};
void write_admin_reply(batch& into, const admin_reply& what);
result<admin_reply> read_admin_reply(const message& from);

/// The caller has given up on a call of the session.
struct cancel {
  static constexpr std::uint32_t not_told = 0xffffffffU;

  std::uint64_t id = 0;
  std::uint32_t loop = not_told;   ///< By whose data link it went.
  std::uint32_t route = not_told;  ///< Of that link.
};
void write_cancel(batch& into, const cancel& what);
result<cancel> read_cancel(const message& from);

/// The last message of an orderly end.
void write_bye(batch& into);

}  // namespace mailroom::wire
