#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/wire/buffer.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// The envelope: how messages lie in a frame. PROTOCOL.md beside this file is normative; everything
/// here follows it. Pure functions over bytes: any thread, no blocking, no state.
namespace mailroom::wire {

inline constexpr std::uint8_t protocol_version = 1;
inline constexpr std::size_t frame_head_size = 8;
inline constexpr std::size_t message_head_size = 8;

/// Bytes of a name in a route and of a string in a control message; a reader refuses more.
inline constexpr std::size_t max_text = 4096;
/// What a failure says; the rest of a longer text is left out.
inline constexpr std::size_t max_failure_text = std::size_t{64} << 10U;

/// Methods that one link may number; a reader refuses higher numbers.
inline constexpr std::uint32_t max_routes = 65'536;

/// Bytes of the names of all routes that one link declares; a reader refuses more.
inline constexpr std::size_t max_route_bytes = std::size_t{16} << 20U;

/// Calls that one chain may name; a reader refuses more.
inline constexpr std::size_t max_chain = 64;

/// The most urgent a call can be; the least is 0.
inline constexpr std::uint8_t highest_priority = 7;

/// Which sockets a frame may travel on: control frames between control threads, data frames between
/// loops.
enum class plane : std::uint8_t { control = 0, data = 1 };

/// What a message is. Data messages are below 32. Numbers are never reused; unknown ones are
/// skipped.
enum class kind : std::uint8_t {
  call = 1,
  cast = 2,
  reply = 3,
  failure = 4,
  route = 5,
  attach = 6,
  attached = 7,
  credit = 8,
  chunk = 9,
  chain = 10,
  fence = 11,
  fenced = 12,
  taken = 13,
  hello = 32,
  welcome = 33,
  reject = 34,
  ping = 35,
  pong = 36,
  announce = 37,
  goaway = 38,
  admin = 39,
  admin_reply = 40,
  cancel = 41,
  bye = 42,
  stuck = 43,
};

template <std::integral Int>
Int load(const std::byte* from) noexcept {
  Int value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big) {
    std::array<std::byte, sizeof value> swapped;
    for (std::size_t i = 0; i < sizeof value; ++i) {
      swapped[i] = from[sizeof value - 1 - i];
    }
    std::memcpy(&value, swapped.data(), sizeof value);
  }
  return value;
}

template <std::integral Int>
void store(std::byte* at, Int value) noexcept {
  std::memcpy(at, &value, sizeof value);
  if constexpr (std::endian::native == std::endian::big) {
    for (std::size_t i = 0; i < sizeof value / 2; ++i) {
      std::swap(at[i], at[sizeof value - 1 - i]);
    }
  }
}

/// Messages on their way out: a frame in the making, or (without the frame head) a run of messages
/// that another thread appends to one.
class batch {
 public:
  explicit batch(plane on) noexcept : plane_(on) {}

  bool empty() const noexcept { return count_ == 0; }
  std::uint32_t count() const noexcept { return count_; }

  /// Bytes of the frame as it stands.
  std::size_t size() const noexcept { return bytes_.size(); }

  /// Begins a message with `head` bytes of fixed fields, which are returned to be filled in. Write
  /// the payload through `bytes()`, then call `finish`, or `drop` to take it all back.
  std::byte* begin(kind what, std::uint16_t head, std::uint8_t flags = 0) {
    if (bytes_.empty()) {
      open();
    }
    at_ = bytes_.size();
    std::byte* to = bytes_.extend(message_head_size + head);
    to[0] = static_cast<std::byte>(what);
    to[1] = static_cast<std::byte>(flags);
    store<std::uint16_t>(to + 2, head);
    return to + message_head_size;
  }
  buffer& bytes() noexcept { return bytes_; }
  void finish() noexcept {
    store<std::uint32_t>(bytes_.data() + at_ + 4,
                         static_cast<std::uint32_t>(bytes_.size() - at_ - message_head_size));
    ++count_;
  }
  void drop() noexcept { bytes_.truncate(at_); }

  /// Bytes of the message begun last, its head included.
  std::size_t message_size() const noexcept { return bytes_.size() - at_; }
  /// The message begun last, as far as it is written.
  std::span<const std::byte> message() const noexcept { return bytes_.bytes().subspan(at_); }

  /// Appends the messages of another batch.
  void append(const batch& more) {
    if (more.empty()) {
      return;
    }
    if (bytes_.empty()) {
      open();
    }
    bytes_.append(more.bytes_.bytes().subspan(frame_head_size));
    count_ += more.count_;
  }

  /// The finished frame. The batch is empty afterwards. Precondition: it holds a message.
  buffer take() noexcept {
    store<std::uint32_t>(bytes_.data() + 4, count_);
    count_ = 0;
    return std::move(bytes_);
  }

  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  void clear() noexcept {
    bytes_.clear();
    count_ = 0;
  }

 private:
  void open() {
    std::byte* to = bytes_.extend(frame_head_size);
    to[0] = std::byte{'M'};
    to[1] = std::byte{'R'};
    to[2] = std::byte{protocol_version};
    to[3] = static_cast<std::byte>(plane_);
    store<std::uint32_t>(to + 4, 0);
  }

  buffer bytes_;
  std::size_t at_ = 0;
  std::uint32_t count_ = 0;
  plane plane_;
};

/// One message inside a received frame; its spans point into the frame.
struct message {
  kind what{};
  std::uint8_t flags = 0;
  std::span<const std::byte> head;
  std::span<const std::byte> payload;
};

/// Walks the messages of a received frame. Trusts nothing.
class reader {
 public:
  /// Fails with `errc::protocol_error` on what is not a frame of ours, not this version, or not for
  /// `on`.
  static result<reader> open(std::span<const std::byte> frame, plane on);

  /// How many messages the frame says it has.
  std::uint32_t count() const noexcept { return left_; }

  /// The next message, if there is one: true. At the end: false. A frame cut short or with bytes
  /// too many, or a message whose parts do not fit, is `errc::protocol_error`; nothing after it can
  /// be read.
  result<bool> next(message& into);

 private:
  explicit reader(std::span<const std::byte> rest, std::uint32_t count) noexcept
      : rest_(rest), left_(count) {}

  std::span<const std::byte> rest_;
  std::uint32_t left_;
};

/// By which a server knows that a call is the same as one before. All zero is none.
using call_key = std::array<std::byte, 16>;

/// Fixed fields of call and cast. `deadline` is nanoseconds on the sender's monotonic clock.
struct call_head {
  static constexpr std::uint16_t size = 24;
  static constexpr std::uint16_t size_with_key = 40;  ///< The key stands behind the others.
  static constexpr std::int64_t no_deadline = INT64_MAX;
  static constexpr std::uint8_t for_all_bit = 1;

  std::uint64_t id = 0;  ///< Chosen by the caller, never reused in a session. 0 for casts.
  std::int64_t deadline = no_deadline;
  std::uint32_t route = 0;    ///< Declared before by a `route` message of the same link.
  std::uint8_t attempt = 0;   ///< 0 at first; counts automatic retries.
  std::uint8_t priority = 0;  ///< At most `highest_priority`; a reader takes more for that.
  bool for_all = false;       ///< Casts: for each instance that the receiver has of the endpoint.

  void write(std::byte* to) const noexcept {
    store(to, id);
    store(to + 8, deadline);
    store(to + 16, route);
    to[20] = static_cast<std::byte>(attempt);
    to[21] = static_cast<std::byte>(priority);
    to[22] = static_cast<std::byte>(for_all ? for_all_bit : 0);
    to[23] = std::byte{0};
  }
  static bool read(std::span<const std::byte> head, call_head& into) noexcept {
    if (head.size() < size) {
      return false;
    }
    into.id = load<std::uint64_t>(head.data());
    into.deadline = load<std::int64_t>(head.data() + 8);
    into.route = load<std::uint32_t>(head.data() + 16);
    into.attempt = static_cast<std::uint8_t>(head[20]);
    into.priority = std::min(static_cast<std::uint8_t>(head[21]), highest_priority);
    into.for_all = (static_cast<std::uint8_t>(head[22]) & for_all_bit) != 0;
    return true;
  }

  static bool has_key(std::span<const std::byte> head) noexcept {
    return head.size() >= size_with_key;
  }
  /// Precondition: there is one, or zeros.
  static call_key key_in(std::span<const std::byte> head) noexcept {
    call_key key;
    std::memcpy(key.data(), head.data() + size, key.size());
    return key;
  }
};

/// Fixed field of reply (payload: the value), of fence and fenced (a number), of taken (bytes), and
/// the first one of cancel.
struct id_head {
  static constexpr std::uint16_t size = 8;
  static constexpr std::uint8_t idempotent_flag = 1;  ///< Of a reply's message: the method is.

  static bool read(std::span<const std::byte> head, std::uint64_t& id) noexcept {
    if (head.size() < size) {
      return false;
    }
    id = load<std::uint64_t>(head.data());
    return true;
  }
};

/// A failed call: fixed fields, then the MessagePack array [type, message].
struct failure_head {
  static constexpr std::uint16_t size = 16;
};
struct failure {
  std::uint64_t id = 0;
  error why;
};
void write_failure(batch& into, std::uint64_t id, const error& why);
result<failure> read_failure(const message& from);

/// The name of a method at a target, declared once per link and then spoken of by number.
struct route {
  std::uint32_t number = 0;  ///< Without gaps, from 0, on each link.
  std::string exchange;
  std::string topic;
  std::string name_space;
  std::string version;
  std::string method;
};
/// Bytes of its names.
inline std::size_t size_of(const route& declared) noexcept {
  return declared.exchange.size() + declared.topic.size() + declared.name_space.size() +
         declared.version.size() + declared.method.size();
}
void write_route(batch& into, const route& declared);
result<route> read_route(const message& from);

/// So many more calls and casts may be sent on this link, and so many more bytes of them.
struct credit {
  static constexpr std::uint16_t size = 16;

  std::uint32_t messages = 0;
  std::uint64_t bytes = 0;
};
void write_credit(batch& into, const credit& what);
result<credit> read_credit(const message& from);

/// Fixed fields of a chunk: a piece of the body of the message `id`, which follows it.
struct chunk_head {
  static constexpr std::uint16_t size = 24;

  std::uint64_t id = 0;
  std::uint64_t offset = 0;
  std::uint64_t total = 0;

  void write(std::byte* to) const noexcept {
    store(to, id);
    store(to + 8, offset);
    store(to + 16, total);
  }
  static bool read(std::span<const std::byte> head, chunk_head& into) noexcept {
    if (head.size() < size) {
      return false;
    }
    into.id = load<std::uint64_t>(head.data());
    into.offset = load<std::uint64_t>(head.data() + 8);
    into.total = load<std::uint64_t>(head.data() + 16);
    return true;
  }
};

/// So many more bytes of chunks have been taken.
void write_taken(batch& into, std::uint64_t bytes);

/// One of the calls within which another is made.
struct chain_link {
  std::uint64_t endpoint = 0;  ///< No other's, on any node.
  std::uint64_t number = 0;    ///< Of the call, among those of its endpoint.
  std::string name;            ///< "topic.method", for people.
};
/// Within which calls the call `id` is made, that follows on the same link; the outermost first.
struct chain {
  std::uint64_t id = 0;
  std::vector<chain_link> links;
};
void write_chain(batch& into, std::uint64_t id, std::span<const chain_link> links);
result<chain> read_chain(const message& from);

/// Asks to be told (`fenced`, with the same number) when all that was sent before on this link has
/// been handed to its endpoints.
void write_fence(batch& into, std::uint64_t number);
void write_fenced(batch& into, std::uint64_t number);

/// How a sender's clock stands to the receiver's: receiver = sender + offset, give or take `error`.
struct clock_relation {
  std::int64_t offset = 0;  ///< Nanoseconds.
  std::int64_t error = 0;   ///< Nanoseconds, not negative: half of the smallest round trip.
};

/// First message on a data link: which session it belongs to, and how the clocks stand.
struct attach {
  std::array<std::byte, 16> session{};
  clock_relation clocks;
};
void write_attach(batch& into, const attach& what);
result<attach> read_attach(const message& from);

}  // namespace mailroom::wire
