#include <mailroom/tests/framework/wire/messages.hpp>

#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/control.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace mailroom::tests {
namespace {

using wire::kind;

std::vector<std::byte> unhex(const std::string& text) {
  std::vector<std::byte> raw;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    raw.push_back(static_cast<std::byte>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return raw;
}

wire::identity identity(const json& text) {
  const auto raw = unhex(text.get<std::string>());
  wire::identity value{};
  std::copy_n(raw.begin(), std::min(raw.size(), value.size()), value.begin());
  return value;
}

std::vector<wire::topic_home> topics(const json& from) {
  std::vector<wire::topic_home> list;
  for (const auto& each : from) {
    list.push_back({each["exchange"], each["topic"], each["loop"]});
  }
  return list;
}

std::vector<wire::loop_state> loops(const json& from) {
  std::vector<wire::loop_state> list;
  for (const auto& each : from) {
    list.push_back({each["turns"], each["oldest_queued_ms"]});
  }
  return list;
}

void write_call(wire::batch& into, const json& what) {
  wire::call_head head;
  head.id = what["id"];
  head.deadline = what["deadline"];
  head.route = what["route"];
  head.attempt = what["attempt"];
  head.priority = what["priority"];
  head.for_all = what.value("for_all", false);
  const auto sort = what["kind"] == "call" ? kind::call : kind::cast;
  if (what.contains("key")) {
    const auto key = unhex(what["key"]);
    std::byte* to = into.begin(sort, wire::call_head::size_with_key);
    head.write(to);
    std::copy(key.begin(), key.end(), to + wire::call_head::size);
  } else {
    head.write(into.begin(sort, wire::call_head::size));
  }
  into.bytes().append(wire::arguments_from_json(what["arguments"].dump()).value().bytes());
  into.finish();
}

void write_flow(wire::batch& into, const json& what) {
  if (what["kind"] == "credit") {
    wire::write_credit(into, {what["messages"], what["bytes"]});
    return;
  }
  if (what["kind"] == "taken") {
    wire::write_taken(into, what["bytes"]);
    return;
  }
  const wire::chunk_head head{what["id"], what["offset"], what["total"]};
  head.write(into.begin(kind::chunk, wire::chunk_head::size));
  into.bytes().append(unhex(what["data"]));
  into.finish();
}

void write_chain(wire::batch& into, const json& what) {
  std::vector<wire::chain_link> links;
  for (const auto& each : what["links"]) {
    links.push_back({each["endpoint"].get<std::uint64_t>(),
                     each["number"].get<std::uint64_t>(),
                     each["name"].get<std::string>()});
  }
  wire::write_chain(into, what["id"], links);
}

void write_data(wire::batch& into, const json& what) {
  const std::string name = what["kind"];
  if (name == "call" || name == "cast") {
    write_call(into, what);
  } else if (name == "reply") {
    const auto flags = what.value("idempotent", false) ? wire::id_head::idempotent_flag : 0;
    wire::store<std::uint64_t>(
        into.begin(kind::reply, wire::id_head::size, static_cast<std::uint8_t>(flags)), what["id"]);
    into.bytes().append(wire::value_from_json(what["value"].dump()).value().bytes());
    into.finish();
  } else if (name == "chain") {
    write_chain(into, what);
  } else if (name == "failure") {
    const error why(static_cast<errc>(what["code"].get<std::uint16_t>()),
                    static_cast<execution>(what["execution"].get<std::uint8_t>()),
                    what["message"].get<std::string>(),
                    what["type"].get<std::string>());
    wire::write_failure(
        into,
        what["id"],
        why.with_retry_after(std::chrono::milliseconds(what["retry_after_ms"].get<int>())));
  } else if (name == "route") {
    wire::write_route(into,
                      {what["number"],
                       what["exchange"],
                       what["topic"],
                       what["namespace"],
                       what["version"],
                       what["method"]});
  } else if (name == "attach") {
    wire::write_attach(into, {identity(what["session"]), {what["offset"], what["error"]}});
  } else if (name == "fence") {
    wire::write_fence(into, what["number"]);
  } else if (name == "fenced") {
    wire::write_fenced(into, what["number"]);
  } else if (name == "attached" || name == "bye") {
    into.begin(name == "bye" ? kind::bye : kind::attached, 0);
    into.finish();
  } else {
    write_flow(into, what);
  }
}

void write_welcome(wire::batch& into, const json& what) {
  wire::welcome out;
  out.version = what["version"];
  out.node = what["node"];
  out.incarnation = identity(what["incarnation"]);
  out.session = identity(what["session"]);
  out.echo = what["echo"];
  out.received = what["received"];
  out.sent = what["sent"];
  out.heartbeat_ms = what["heartbeat_ms"];
  out.dead_after_ms = what["dead_after_ms"];
  out.max_frame = what["max_frame"];
  out.max_body = what["max_body"];
  out.in_flight = what["in_flight"];
  out.data = what["data"].get<std::vector<std::string>>();
  out.topics = topics(what["topics"]);
  out.capabilities = what["capabilities"].get<std::vector<std::string>>();
  out.credit_bytes = what["credit_bytes"];
  wire::write_welcome(into, out);
}

void write_admin(wire::batch& into, const json& what) {
  if (what["kind"] == "admin") {
    const auto arguments = wire::value_from_json(what["arguments"].dump());
    wire::write_admin(into, {what["id"], what["verb"], arguments.value().bytes()});
    return;
  }
  const auto code = static_cast<errc>(what["code"].get<std::uint16_t>());
  const auto value = wire::value_from_json(what.value("value", json()).dump());
  wire::write_admin_reply(into,
                          {what["id"], code, value.value().bytes(), what.value("message", "")});
}

void write_control(wire::batch& into, const json& what) {
  const std::string name = what["kind"];
  if (name == "hello") {
    wire::write_hello(into,
                      {what["node"],
                       identity(what["incarnation"]),
                       what["min"],
                       what["max"],
                       what["capabilities"].get<std::vector<std::string>>(),
                       what["time"]});
  } else if (name == "welcome") {
    write_welcome(into, what);
  } else if (name == "reject") {
    wire::write_reject(
        into, {what["code"], what["reason"], what["min"], what["max"], what["retry_after_ms"]});
  } else if (name == "ping") {
    wire::write_ping(into, {what["time"], {what["offset"], what["error"]}, loops(what["loops"])});
  } else if (name == "pong") {
    wire::write_pong(into,
                     {what["echo"],
                      what["received"],
                      what["sent"],
                      loops(what["loops"]),
                      what["draining"],
                      what["peers"]});
  } else if (name == "announce") {
    wire::write_announce(into, {topics(what["topics"])});
  } else if (name == "goaway") {
    wire::write_goaway(into, {what["reason"], what["deadline_ms"]});
  } else if (name == "admin" || name == "admin_reply") {
    write_admin(into, what);
  } else if (name == "cancel") {
    wire::write_cancel(into,
                       {what["id"],
                        what.value("loop", wire::cancel::not_told),
                        what.value("route", wire::cancel::not_told)});
  } else if (name == "bye") {
    wire::write_bye(into);
  } else if (name == "stuck") {
    wire::stuck out;
    out.loops = what["loops"].get<std::vector<std::uint32_t>>();
    for (const auto& each : what["topics"]) {
      out.topics.push_back({each["exchange"], each["topic"]});
    }
    wire::write_stuck(into, out);
  } else {
    throw std::invalid_argument("no message is called " + name);
  }
}

}  // namespace

wire::buffer frame_from_json(const json& what) {
  const bool data = what["plane"] == "data";
  wire::batch frame(data ? wire::plane::data : wire::plane::control);
  for (const json& each : what["messages"]) {
    data ? write_data(frame, each) : write_control(frame, each);
  }
  return frame.take();
}

std::vector<vector> read_vectors(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw std::invalid_argument("cannot read " + path);
  }
  std::vector<vector> all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const auto colon = line.find(':');
    const auto key = line.substr(0, colon);
    const auto value = line.size() > colon + 2 ? line.substr(colon + 2) : std::string();
    if (key == "vector") {
      all.push_back({value, {}, {}, false});
    } else if (key == "hex") {
      all.back().frame = unhex(value);
    } else if (key == "json") {
      all.back().meaning = json::parse(value);
    } else if (key == "only") {
      all.back().decode_only = true;
    }
  }
  return all;
}

}  // namespace mailroom::tests
