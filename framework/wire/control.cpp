#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/control.hpp>
#include <mailroom/framework/wire/malformed.hpp>

#include <algorithm>
#include <concepts>
#include <type_traits>
#include <utility>

namespace mailroom::wire {
namespace {

struct ping_body {
  std::int64_t offset = 0;
  std::int64_t error = 0;
  std::vector<loop_state> loops;
};

struct pong_body {
  std::vector<loop_state> loops;
  bool draining = false;
  std::uint32_t peers = 0;
};

// The fields of each struct by their names in the map. Here and not in the structs, as
// MSGPACK_DEFINE_MAP would have it, which makes every file that includes them compile how they are
// read.
using msgpack::type::make_define_map;

template <class T, class Of>
concept some = std::same_as<std::remove_const_t<T>, Of>;

auto fields(some<topic_home> auto& of) {
  return make_define_map("exchange", of.exchange, "topic", of.topic, "loop", of.loop);
}

auto fields(some<loop_state> auto& of) {
  return make_define_map("turns", of.turns, "oldest_queued_ms", of.oldest_queued_ms);
}

auto fields(some<hello> auto& of) {
  return make_define_map("node",
                         of.node,
                         "incarnation",
                         of.incarnation,
                         "min",
                         of.min,
                         "max",
                         of.max,
                         "capabilities",
                         of.capabilities,
                         "time",
                         of.time);
}

auto fields(some<welcome> auto& of) {
  return make_define_map("version",
                         of.version,
                         "node",
                         of.node,
                         "incarnation",
                         of.incarnation,
                         "session",
                         of.session,
                         "echo",
                         of.echo,
                         "received",
                         of.received,
                         "sent",
                         of.sent,
                         "heartbeat_ms",
                         of.heartbeat_ms,
                         "dead_after_ms",
                         of.dead_after_ms,
                         "max_frame",
                         of.max_frame,
                         "max_body",
                         of.max_body,
                         "in_flight",
                         of.in_flight,
                         "data",
                         of.data,
                         "topics",
                         of.topics,
                         "capabilities",
                         of.capabilities,
                         "credit_bytes",
                         of.credit_bytes);
}

auto fields(some<reject> auto& of) {
  return make_define_map("code",
                         of.code,
                         "reason",
                         of.reason,
                         "min",
                         of.min,
                         "max",
                         of.max,
                         "retry_after_ms",
                         of.retry_after_ms);
}

auto fields(some<ping_body> auto& of) {
  return make_define_map("offset", of.offset, "error", of.error, "loops", of.loops);
}

auto fields(some<pong_body> auto& of) {
  return make_define_map("loops", of.loops, "draining", of.draining, "peers", of.peers);
}

auto fields(some<announce> auto& of) {
  return make_define_map("topics", of.topics);
}

auto fields(some<stuck_topic> auto& of) {
  return make_define_map("exchange", of.exchange, "topic", of.topic);
}

auto fields(some<stuck> auto& of) {
  return make_define_map("loops", of.loops, "topics", of.topics);
}

auto fields(some<goaway> auto& of) {
  return make_define_map("reason", of.reason, "deadline_ms", of.deadline_ms);
}

template <class T>
concept told_as_map = requires(T& of) {
  fields(of);
};

}  // namespace
}  // namespace mailroom::wire

namespace msgpack {
MSGPACK_API_VERSION_NAMESPACE(MSGPACK_DEFAULT_API_NS) {
  namespace adaptor {

  template <mailroom::wire::told_as_map T>
  struct pack<T> {
    template <class Stream>
    packer<Stream>& operator()(packer<Stream>& out, const T& value) const {
      mailroom::wire::fields(value).msgpack_pack(out);
      return out;
    }
  };

  template <mailroom::wire::told_as_map T>
  struct convert<T> {
    const msgpack::object& operator()(const msgpack::object& from, T& into) const {
      mailroom::wire::fields(into).msgpack_unpack(from);
      return from;
    }
  };

  }  // namespace adaptor
}
}  // namespace msgpack

namespace mailroom::wire {
namespace {

constexpr std::uint16_t ping_head_size = 8;
constexpr std::uint16_t pong_head_size = 24;
constexpr std::uint16_t admin_reply_head_size = 16;
constexpr std::uint16_t cancel_head_size = 16;

template <class T>
void write_map(batch& into, kind what, const T& body) {
  into.begin(what, 0);
  pack(into.bytes(), body);
  into.finish();
}

template <class T>
result<T> read_map(const message& from,
                   const char* complaint,
                   std::size_t most = max_control_payload) {
  if (from.payload.size() > most) {
    return malformed("control message too long");
  }
  auto body = unpack<T>(from.payload);
  if (!body) {
    return malformed(complaint);
  }
  return body;
}

bool fits(std::string_view text) noexcept {
  return text.size() <= max_text;
}

bool fits(const std::vector<topic_home>& topics) noexcept {
  return topics.size() <= max_topics &&
         std::all_of(topics.begin(), topics.end(), [](const topic_home& each) {
           return fits(each.exchange) && fits(each.topic);
         });
}

bool fits(const std::vector<std::string>& texts, std::size_t limit) noexcept {
  return texts.size() <= limit &&
         std::all_of(
             texts.begin(), texts.end(), [](const std::string& each) { return fits(each); });
}

}  // namespace

std::size_t size_of(const topic_home& what) noexcept {
  constexpr std::string_view keys = "exchangetopicloop";
  constexpr std::size_t heads = 1 + 3 + 2 * 5 + 5;  // Of the map, its keys, its texts, its number.
  return heads + keys.size() + what.exchange.size() + what.topic.size();
}

void write_hello(batch& into, const hello& what) {
  write_map(into, kind::hello, what);
}

result<hello> read_hello(const message& from) {
  auto what = read_map<hello>(from, "hello that is no map of its fields");
  if (what && (!fits(what->node) || !fits(what->capabilities, max_capabilities))) {
    return malformed("hello beyond its limits");
  }
  if (what && what->min > what->max) {
    return malformed("hello with no version between min and max");
  }
  return what;
}

std::optional<std::uint8_t> common_version(const hello& theirs) noexcept {
  // There is one version so far.
  if (theirs.min > protocol_version || theirs.max < protocol_version) {
    return std::nullopt;
  }
  return protocol_version;
}

void write_welcome(batch& into, const welcome& what) {
  write_map(into, kind::welcome, what);
}

result<welcome> read_welcome(const message& from) {
  auto what = read_map<welcome>(from, "welcome that is no map of its fields", max_topics_payload);
  if (what && (!fits(what->node) || !fits(what->data, max_addresses) || !fits(what->topics) ||
               !fits(what->capabilities, max_capabilities))) {
    return malformed("welcome beyond its limits");
  }
  return what;
}

void write_reject(batch& into, const reject& what) {
  write_map(into, kind::reject, what);
}

result<reject> read_reject(const message& from) {
  auto what = read_map<reject>(from, "reject that is no map of its fields");
  if (what && !fits(what->reason)) {
    return malformed("reject beyond its limits");
  }
  return what;
}

void write_ping(batch& into, const ping& what) {
  store(into.begin(kind::ping, ping_head_size), what.time);
  pack(into.bytes(), ping_body{what.clocks.offset, what.clocks.error, what.loops});
  into.finish();
}

result<ping> read_ping(const message& from) {
  if (from.head.size() < ping_head_size) {
    return malformed("ping with fixed fields too short");
  }
  auto body = read_map<ping_body>(from, "ping that is no map of its fields");
  if (!body) {
    return body.error();
  }
  if (body->loops.size() > max_addresses || body->error < 0) {
    return malformed("ping beyond its limits");
  }
  return ping{
      load<std::int64_t>(from.head.data()), {body->offset, body->error}, std::move(body->loops)};
}

void write_pong(batch& into, const pong& what) {
  std::byte* head = into.begin(kind::pong, pong_head_size);
  store(head, what.echo);
  store(head + 8, what.received);
  store(head + 16, what.sent);
  pack(into.bytes(), pong_body{what.loops, what.draining, what.peers});
  into.finish();
}

result<pong> read_pong(const message& from) {
  if (from.head.size() < pong_head_size) {
    return malformed("pong with fixed fields too short");
  }
  auto body = read_map<pong_body>(from, "pong that is no map of its fields");
  if (!body) {
    return body.error();
  }
  if (body->loops.size() > max_addresses) {
    return malformed("pong beyond its limits");
  }
  return pong{load<std::int64_t>(from.head.data()),
              load<std::int64_t>(from.head.data() + 8),
              load<std::int64_t>(from.head.data() + 16),
              std::move(body->loops),
              body->draining,
              body->peers};
}

void write_announce(batch& into, const announce& what) {
  write_map(into, kind::announce, what);
}

result<announce> read_announce(const message& from) {
  auto what = read_map<announce>(from, "announce that is no map of its fields", max_topics_payload);
  if (what && !fits(what->topics)) {
    return malformed("announce beyond its limits");
  }
  return what;
}

void write_stuck(batch& into, const stuck& what) {
  write_map(into, kind::stuck, what);
}

result<stuck> read_stuck(const message& from) {
  auto what = read_map<stuck>(from, "stuck that is no map of its fields", max_topics_payload);
  if (what && (what->loops.size() > max_addresses || what->topics.size() > max_topics ||
               !std::all_of(what->topics.begin(), what->topics.end(), [](const auto& each) {
                 return fits(each.exchange) && fits(each.topic);
               }))) {
    return malformed("stuck beyond its limits");
  }
  return what;
}

void write_goaway(batch& into, const goaway& what) {
  write_map(into, kind::goaway, what);
}

result<goaway> read_goaway(const message& from) {
  auto what = read_map<goaway>(from, "goaway that is no map of its fields");
  if (what && !fits(what->reason)) {
    return malformed("goaway beyond its limits");
  }
  return what;
}

void write_admin(batch& into, const admin& what) {
  store(into.begin(kind::admin, id_head::size), what.id);
  msgpack::packer<buffer> packer(into.bytes());
  packer.pack_array(2);
  packer.pack(what.verb);
  into.bytes().append(what.arguments);
  into.finish();
}

result<admin> read_admin(const message& from) {
  admin what;
  if (!id_head::read(from.head, what.id)) {
    return malformed("admin with fixed fields too short");
  }
  if (from.payload.size() > max_control_payload) {
    return malformed("control message too long");
  }
  cursor payload(from.payload, nullptr);
  const auto count = payload.array();
  if (!count || *count < 2 || !payload.read(what.verb) || !payload.read_raw(what.arguments)) {
    return malformed("admin without its verb and arguments");
  }
  if (!payload.skip(*count - 2) || !payload.at_end() || !fits(what.verb)) {
    return malformed("admin beyond its limits");
  }
  return what;
}

void write_admin_reply(batch& into, const admin_reply& what) {
  std::byte* head = into.begin(kind::admin_reply, admin_reply_head_size);
  store(head, what.id);
  store(head + 8, static_cast<std::uint16_t>(what.code));
  std::fill_n(head + 10, 6, std::byte{0});
  if (what.code == errc::ok) {
    into.bytes().append(what.value);
  } else {
    pack(into.bytes(), what.message);
  }
  into.finish();
}

result<admin_reply> read_admin_reply(const message& from) {
  if (from.head.size() < admin_reply_head_size) {
    return malformed("admin_reply with fixed fields too short");
  }
  admin_reply what;
  what.id = load<std::uint64_t>(from.head.data());
  what.code = static_cast<errc>(load<std::uint16_t>(from.head.data() + 8));
  cursor payload(from.payload, nullptr);
  const bool good = what.code == errc::ok
                        ? payload.read_raw(what.value)
                        : from.payload.size() <= max_control_payload && payload.read(what.message);
  if (!good || !payload.at_end()) {
    return malformed("admin_reply without its value");
  }
  return what;
}

void write_cancel(batch& into, const cancel& what) {
  std::byte* head = into.begin(kind::cancel, cancel_head_size);
  store(head, what.id);
  store(head + 8, what.loop);
  store(head + 12, what.route);
  into.finish();
}

result<cancel> read_cancel(const message& from) {
  cancel what;
  if (!id_head::read(from.head, what.id)) {
    return malformed("cancel with fixed fields too short");
  }
  if (from.head.size() >= cancel_head_size) {
    what.loop = load<std::uint32_t>(from.head.data() + 8);
    what.route = load<std::uint32_t>(from.head.data() + 12);
  }
  return what;
}

void write_bye(batch& into) {
  into.begin(kind::bye, 0);
  into.finish();
}

}  // namespace mailroom::wire
