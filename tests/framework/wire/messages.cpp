#include <mailroom/tests/framework/wire/messages.hpp>

#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/control.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace mailroom::tests {
namespace {

using wire::kind;

std::string hex(std::span<const std::byte> raw) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte each : raw) {
    const auto value = static_cast<std::uint8_t>(each);
    text.append({digits[value >> 4U], digits[value & 15U]});
  }
  return text;
}

json body(std::span<const std::byte> payload) {
  const auto text = wire::json_from_body(payload);
  return text ? json::parse(*text) : json();
}

json topics(const std::vector<wire::topic_home>& from) {
  json list = json::array();
  for (const auto& each : from) {
    list.push_back({{"exchange", each.exchange}, {"topic", each.topic}, {"loop", each.loop}});
  }
  return list;
}

json loops(const std::vector<wire::loop_state>& from) {
  json list = json::array();
  for (const auto& each : from) {
    list.push_back({{"turns", each.turns}, {"oldest_queued_ms", each.oldest_queued_ms}});
  }
  return list;
}

error short_fields() {
  return error(errc::protocol_error, "fixed fields too short");
}

// What the result of a reader means, if it is one.
template <class T, class Show>
result<json> shown(const result<T>& what, const Show& show) {
  if (!what) {
    return what.error();
  }
  return json(show(*what));
}

result<json> call_to_json(const wire::message& from) {
  wire::call_head head;
  if (!wire::call_head::read(from.head, head)) {
    return short_fields();
  }
  json shown{{"kind", from.what == kind::call ? "call" : "cast"},
             {"id", head.id},
             {"deadline", head.deadline},
             {"route", head.route},
             {"attempt", head.attempt},
             {"priority", head.priority},
             {"arguments", body(from.payload)}};
  if (head.for_all) {
    shown["for_all"] = true;
  }
  if (from.what == kind::call && wire::call_head::has_key(from.head)) {
    const auto key = wire::call_head::key_in(from.head);
    if (key != wire::call_key{}) {
      shown["key"] = hex(key);
    }
  }
  return shown;
}

result<json> reply_to_json(const wire::message& from) {
  std::uint64_t id = 0;
  if (!wire::id_head::read(from.head, id)) {
    return short_fields();
  }
  json shown{{"kind", "reply"}, {"id", id}, {"value", body(from.payload)}};
  if ((from.flags & wire::id_head::idempotent_flag) != 0) {
    shown["idempotent"] = true;
  }
  return shown;
}

result<json> failure_to_json(const wire::message& from) {
  return shown(wire::read_failure(from), [](const wire::failure& what) -> json {
    return {{"kind", "failure"},
            {"id", what.id},
            {"code", static_cast<std::uint16_t>(what.why.code())},
            {"execution", static_cast<std::uint8_t>(what.why.execution())},
            {"retry_after_ms", what.why.retry_after().count()},
            {"type", what.why.type()},
            {"message", what.why.message()}};
  });
}

result<json> data_to_json(const wire::message& from) {
  switch (from.what) {
    case kind::call:
    case kind::cast: return call_to_json(from);
    case kind::reply: return reply_to_json(from);
    case kind::failure: return failure_to_json(from);
    case kind::route:
      return shown(wire::read_route(from), [](const wire::route& what) -> json {
        return {{"kind", "route"},
                {"number", what.number},
                {"exchange", what.exchange},
                {"topic", what.topic},
                {"namespace", what.name_space},
                {"version", what.version},
                {"method", what.method}};
      });
    case kind::chain:
      return shown(wire::read_chain(from), [](const wire::chain& what) -> json {
        json links = json::array();
        for (const auto& each : what.links) {
          links.push_back(
              {{"endpoint", each.endpoint}, {"number", each.number}, {"name", each.name}});
        }
        return {{"kind", "chain"}, {"id", what.id}, {"links", std::move(links)}};
      });
    case kind::attach:
      return shown(wire::read_attach(from), [](const wire::attach& what) -> json {
        return {{"kind", "attach"},
                {"session", hex(what.session)},
                {"offset", what.clocks.offset},
                {"error", what.clocks.error}};
      });
    case kind::attached: return json{{"kind", "attached"}};
    case kind::fence:
    case kind::fenced: {
      std::uint64_t number = 0;
      if (!wire::id_head::read(from.head, number)) {
        return short_fields();
      }
      return json{{"kind", from.what == kind::fence ? "fence" : "fenced"}, {"number", number}};
    }
    case kind::taken: {
      std::uint64_t bytes = 0;
      if (!wire::id_head::read(from.head, bytes)) {
        return short_fields();
      }
      return json{{"kind", "taken"}, {"bytes", bytes}};
    }
    case kind::credit:
      return shown(wire::read_credit(from), [](const wire::credit& what) -> json {
        return {{"kind", "credit"}, {"messages", what.messages}, {"bytes", what.bytes}};
      });
    case kind::chunk: {
      wire::chunk_head head;
      if (!wire::chunk_head::read(from.head, head)) {
        return short_fields();
      }
      return json{{"kind", "chunk"},
                  {"id", head.id},
                  {"offset", head.offset},
                  {"total", head.total},
                  {"data", hex(from.payload)}};
    }
    case kind::bye: return json{{"kind", "bye"}};
    default: return json{{"kind", "unknown"}, {"type", static_cast<std::uint8_t>(from.what)}};
  }
}

json hello_to_json(const wire::hello& what) {
  return {{"kind", "hello"},
          {"node", what.node},
          {"incarnation", hex(what.incarnation)},
          {"min", what.min},
          {"max", what.max},
          {"capabilities", what.capabilities},
          {"time", what.time}};
}

json welcome_to_json(const wire::welcome& what) {
  return {{"kind", "welcome"},
          {"version", what.version},
          {"node", what.node},
          {"incarnation", hex(what.incarnation)},
          {"session", hex(what.session)},
          {"echo", what.echo},
          {"received", what.received},
          {"sent", what.sent},
          {"heartbeat_ms", what.heartbeat_ms},
          {"dead_after_ms", what.dead_after_ms},
          {"max_frame", what.max_frame},
          {"max_body", what.max_body},
          {"in_flight", what.in_flight},
          {"data", what.data},
          {"topics", topics(what.topics)},
          {"capabilities", what.capabilities},
          {"credit_bytes", what.credit_bytes}};
}

json reject_to_json(const wire::reject& what) {
  return {{"kind", "reject"},
          {"code", what.code},
          {"reason", what.reason},
          {"min", what.min},
          {"max", what.max},
          {"retry_after_ms", what.retry_after_ms}};
}

json ping_to_json(const wire::ping& what) {
  return {{"kind", "ping"},
          {"time", what.time},
          {"offset", what.clocks.offset},
          {"error", what.clocks.error},
          {"loops", loops(what.loops)}};
}

json pong_to_json(const wire::pong& what) {
  return {{"kind", "pong"},
          {"echo", what.echo},
          {"received", what.received},
          {"sent", what.sent},
          {"loops", loops(what.loops)},
          {"draining", what.draining},
          {"peers", what.peers}};
}

json admin_reply_to_json(const wire::admin_reply& what) {
  json shown{
      {"kind", "admin_reply"}, {"id", what.id}, {"code", static_cast<std::uint16_t>(what.code)}};
  if (what.code == errc::ok) {
    shown["value"] = body(what.value);
  } else {
    shown["message"] = what.message;
  }
  return shown;
}

result<json> control_to_json(const wire::message& from) {
  switch (from.what) {
    case kind::hello: return shown(wire::read_hello(from), hello_to_json);
    case kind::welcome: return shown(wire::read_welcome(from), welcome_to_json);
    case kind::reject: return shown(wire::read_reject(from), reject_to_json);
    case kind::ping: return shown(wire::read_ping(from), ping_to_json);
    case kind::pong: return shown(wire::read_pong(from), pong_to_json);
    case kind::announce:
      return shown(wire::read_announce(from), [](const wire::announce& what) -> json {
        return {{"kind", "announce"}, {"topics", topics(what.topics)}};
      });
    case kind::goaway:
      return shown(wire::read_goaway(from), [](const wire::goaway& what) -> json {
        return {{"kind", "goaway"}, {"reason", what.reason}, {"deadline_ms", what.deadline_ms}};
      });
    case kind::admin:
      return shown(wire::read_admin(from), [](const wire::admin& what) -> json {
        return {{"kind", "admin"},
                {"id", what.id},
                {"verb", what.verb},
                {"arguments", body(what.arguments)}};
      });
    case kind::admin_reply: return shown(wire::read_admin_reply(from), admin_reply_to_json);
    case kind::cancel:
      return shown(wire::read_cancel(from), [](const wire::cancel& what) -> json {
        json cancel{{"kind", "cancel"}, {"id", what.id}};
        if (what.route != wire::cancel::not_told) {
          cancel["loop"] = what.loop;
          cancel["route"] = what.route;
        }
        return cancel;
      });
    case kind::bye: return json{{"kind", "bye"}};
    case kind::stuck:
      return shown(wire::read_stuck(from), [](const wire::stuck& what) -> json {
        json topics = json::array();
        for (const auto& each : what.topics) {
          topics.push_back({{"exchange", each.exchange}, {"topic", each.topic}});
        }
        return {{"kind", "stuck"}, {"loops", what.loops}, {"topics", std::move(topics)}};
      });
    default: return json{{"kind", "unknown"}, {"type", static_cast<std::uint8_t>(from.what)}};
  }
}

}  // namespace

result<json> frame_to_json(std::span<const std::byte> frame) {
  const bool data = frame.size() > 3 && frame[3] == std::byte{1};
  auto messages = wire::reader::open(frame, data ? wire::plane::data : wire::plane::control);
  if (!messages) {
    return messages.error();
  }
  json list = json::array();
  wire::message each;
  while (true) {
    const auto more = messages->next(each);
    if (!more) {
      return more.error();
    }
    if (!*more) {
      return json{{"plane", data ? "data" : "control"}, {"messages", std::move(list)}};
    }
    auto meaning = data ? data_to_json(each) : control_to_json(each);
    if (!meaning) {
      return meaning.error();
    }
    list.push_back(*std::move(meaning));
  }
}

}  // namespace mailroom::tests
