#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/envelope.hpp>
#include <mailroom/framework/wire/malformed.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

namespace mailroom::wire {
namespace {

constexpr std::uint16_t attach_head_size = 32;
constexpr std::uint16_t route_head_size = 4;

// An array of texts; a later version may have appended more values.
bool read_names(std::span<const std::byte> payload, std::span<std::string> into) {
  cursor from(payload, nullptr);
  const auto count = from.array();
  if (!count || *count < into.size()) {
    return false;
  }
  for (std::string& each : into) {
    if (!from.read(each)) {
      return false;
    }
  }
  return from.skip(*count - into.size()) && from.at_end();
}

std::string cut(std::string_view text, std::size_t most) {
  const std::size_t left = text.size() - std::min(text.size(), most);
  return std::string(text.substr(0, most)) +
         (left == 0 ? "" : "... (" + std::to_string(left) + " bytes more)");
}

}  // namespace

result<reader> reader::open(std::span<const std::byte> frame, plane on) {
  if (frame.size() < frame_head_size || frame[0] != std::byte{'M'} || frame[1] != std::byte{'R'}) {
    return malformed("not a mailroom frame");
  }
  if (frame[2] != std::byte{protocol_version}) {
    return error(errc::protocol_error,
                 "protocol version " + std::to_string(static_cast<unsigned>(frame[2])) +
                     ", this node speaks " + std::to_string(unsigned{protocol_version}));
  }
  if (frame[3] != static_cast<std::byte>(on)) {
    return malformed(on == plane::data ? "not a data frame, but sent to a data address"
                                       : "not a control frame, but sent to a control address");
  }
  const auto count = load<std::uint32_t>(frame.data() + 4);
  const auto rest = frame.subspan(frame_head_size);
  if (count > rest.size() / message_head_size) {
    return malformed("a frame with fewer messages than it says");
  }
  return reader(rest, count);
}

result<bool> reader::next(message& into) {
  if (left_ == 0) {
    if (!rest_.empty()) {
      return malformed("bytes after the last message of a frame");
    }
    return false;
  }
  if (rest_.size() < message_head_size) {
    return malformed("frame cut short in a message head");
  }
  const auto head = load<std::uint16_t>(rest_.data() + 2);
  const auto length = load<std::uint32_t>(rest_.data() + 4);
  if (length > rest_.size() - message_head_size) {
    return malformed("frame cut short in a message");
  }
  if (head > length) {
    return malformed("fixed fields longer than their message");
  }
  into.what = static_cast<kind>(rest_[0]);
  into.flags = static_cast<std::uint8_t>(rest_[1]);
  into.head = rest_.subspan(message_head_size, head);
  into.payload = rest_.subspan(message_head_size + head, length - head);
  rest_ = rest_.subspan(message_head_size + length);
  --left_;
  return true;
}

void write_failure(batch& into, std::uint64_t id, const error& why) {
  std::byte* head = into.begin(kind::failure, failure_head::size);
  store(head, id);
  store(head + 8, static_cast<std::uint16_t>(why.code()));
  head[10] = static_cast<std::byte>(why.execution());
  head[11] = std::byte{0};
  const auto pause = std::clamp<std::int64_t>(
      why.retry_after().count(), 0, std::numeric_limits<std::uint32_t>::max());
  store(head + 12, static_cast<std::uint32_t>(pause));
  // A failure is never too large to be told.
  if (why.type().size() <= max_text && why.message().size() <= max_failure_text) {
    pack_arguments(into.bytes(), why.type(), why.message());
  } else {
    pack_arguments(into.bytes(), cut(why.type(), max_text), cut(why.message(), max_failure_text));
  }
  into.finish();
}

result<failure> read_failure(const message& from) {
  if (from.head.size() < failure_head::size) {
    return malformed("failure with fixed fields too short");
  }
  const auto id = load<std::uint64_t>(from.head.data());
  const auto code = static_cast<errc>(load<std::uint16_t>(from.head.data() + 8));
  auto ran = static_cast<execution>(from.head[10]);
  if (ran > execution::ran_and_failed) {
    ran = execution::may_have_run;  // A class of a later version: the careful reading.
  }
  std::array<std::string, 2> words;
  if (!read_names(from.payload, words)) {
    return malformed("failure without its type and message");
  }
  const auto& [type, text] = words;
  error why(code == errc::ok ? errc::protocol_error : code, ran, text, type);
  return failure{
      id,
      why.with_retry_after(std::chrono::milliseconds(load<std::uint32_t>(from.head.data() + 12)))};
}

void write_route(batch& into, const route& declared) {
  store(into.begin(kind::route, route_head_size), declared.number);
  pack_arguments(into.bytes(),
                 declared.exchange,
                 declared.topic,
                 declared.name_space,
                 declared.version,
                 declared.method);
  into.finish();
}

result<route> read_route(const message& from) {
  if (from.head.size() < route_head_size) {
    return malformed("route with fixed fields too short");
  }
  const auto number = load<std::uint32_t>(from.head.data());
  if (number >= max_routes) {
    return malformed("route number beyond its limit");
  }
  std::array<std::string, 5> names;
  if (!read_names(from.payload, names)) {
    return malformed("route without its five names");
  }
  if (std::any_of(
          names.begin(), names.end(), [](const auto& each) { return each.size() > max_text; })) {
    return malformed("route with a name beyond its limit");
  }
  auto& [exchange, topic, name_space, version, method] = names;
  return route{number,
               std::move(exchange),
               std::move(topic),
               std::move(name_space),
               std::move(version),
               std::move(method)};
}

void write_chain(batch& into, std::uint64_t id, std::span<const chain_link> links) {
  store(into.begin(kind::chain, id_head::size), id);
  msgpack::packer<buffer> out(into.bytes());
  out.pack_array(static_cast<std::uint32_t>(links.size()));
  for (const auto& each : links) {
    out.pack_array(3);
    out.pack(each.endpoint);
    out.pack(each.number);
    out.pack(each.name);
  }
  into.finish();
}

result<chain> read_chain(const message& from) {
  chain what;
  if (!id_head::read(from.head, what.id)) {
    return malformed("chain with fixed fields too short");
  }
  cursor values(from.payload, nullptr);
  const auto links = values.array();
  if (!links || *links > max_chain) {
    return malformed("chain that is no array, or names too many calls");
  }
  what.links.resize(*links);
  for (auto& each : what.links) {
    const auto parts = values.array();
    if (!parts || *parts < 3 || !values.read(each.endpoint) || !values.read(each.number) ||
        !values.read(each.name) || each.name.size() > 2 * max_text + 1 ||
        !values.skip(*parts - 3)) {
      return malformed("chain with a link that is none");
    }
  }
  if (!values.at_end()) {
    return malformed("chain with something after");
  }
  return what;
}

void write_fence(batch& into, std::uint64_t number) {
  store(into.begin(kind::fence, id_head::size), number);
  into.finish();
}

void write_fenced(batch& into, std::uint64_t number) {
  store(into.begin(kind::fenced, id_head::size), number);
  into.finish();
}

void write_taken(batch& into, std::uint64_t bytes) {
  store(into.begin(kind::taken, id_head::size), bytes);
  into.finish();
}

void write_credit(batch& into, const credit& what) {
  std::byte* head = into.begin(kind::credit, credit::size);
  store(head, what.messages);
  store(head + 4, std::uint32_t{0});
  store(head + 8, what.bytes);
  into.finish();
}

result<credit> read_credit(const message& from) {
  if (from.head.size() < credit::size) {
    return malformed("credit with fixed fields too short");
  }
  return credit{load<std::uint32_t>(from.head.data()), load<std::uint64_t>(from.head.data() + 8)};
}

void write_attach(batch& into, const attach& what) {
  std::byte* head = into.begin(kind::attach, attach_head_size);
  std::copy(what.session.begin(), what.session.end(), head);
  store(head + 16, what.clocks.offset);
  store(head + 24, what.clocks.error);
  into.finish();
}

result<attach> read_attach(const message& from) {
  if (from.head.size() < attach_head_size) {
    return malformed("attach with fixed fields too short");
  }
  attach what;
  std::copy_n(from.head.begin(), what.session.size(), what.session.begin());
  what.clocks.offset = load<std::int64_t>(from.head.data() + 16);
  what.clocks.error = load<std::int64_t>(from.head.data() + 24);
  if (what.clocks.error < 0) {
    return malformed("attach with a negative clock error");
  }
  return what;
}

}  // namespace mailroom::wire
