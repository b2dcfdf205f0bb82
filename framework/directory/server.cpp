#include <mailroom/framework/directory/server.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/open_host.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace mailroom::directory {
namespace {

constexpr std::size_t most_watches = 65'536;

std::uint32_t whole_milliseconds(duration length) noexcept {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(length).count());
}

wire::identity random_identity(platform& host) {
  wire::identity id{};
  host.random(id);
  return id;
}

template <class T>
wire::buffer written(const T& what) {
  wire::buffer into;
  write(into, what);
  return into;
}

}  // namespace

server::server(rpc::control_server& on,
               executors::event_loop& loop,
               platform& host,
               const lease_table::options& with)
    : host_(host),
      options_(with),
      table_(random_identity(host), host.now(), with),
      watches_(table_),
      alarm_(loop, [this] { look(); }) {
  using rpc::control_server;
  on.add_peer_verb(
      register_verb,
      [this](std::span<const std::byte> arguments,
             std::string_view peer_host,
             const control_server::answer& tell) { tell(enter(arguments, peer_host)); });
  on.add_verb(renew_verb, [this](auto arguments) { return renew(arguments); });
  on.add_verb(leave_verb, [this](auto arguments) { return leave(arguments); });
  on.add_slow_verb(watch_verb, [this](auto arguments, const control_server::answer& tell) {
    watch(arguments, tell);
  });
  on.add_verb(list_verb, [this](auto) { return list(); });
  on.add_verb(departed_verb, [this](auto) { return departed(); });
  alarm_.set(table_.next_look());
}

result<wire::buffer> server::enter(std::span<const std::byte> arguments,
                                   std::string_view peer_host) {
  auto what = read_registration(arguments);
  if (!what) {
    return what.error();
  }
  // A node that listens at all interfaces does not know by which it is reached.
  if (!peer_host.empty()) {
    what->address = rpc::with_host_of("tcp://" + std::string(peer_host) + ":0", what->address);
  }
  const std::string node = what->node;
  const std::string address = what->address;
  const bool draining = what->draining;
  const auto incarnation = what->incarnation;
  const auto before = table_.revision();
  const registration* const held = table_.find(address);
  const auto holder = held != nullptr ? std::optional(*held) : std::nullopt;
  const auto entry = table_.enter(*std::move(what), host_.now());
  if (entry == lease_table::entry::full) {
    return error(errc::busy, "the directory holds as many nodes as it can");
  }
  if (entry == lease_table::entry::fenced) {
    log::warn_limited(peer_host, "registration_fenced", {{"node", node}, {"address", address}});
  } else if (table_.revision() != before) {
    log::info(draining ? "drains" : "registered", {{"node", node}, {"address", address}});
    departed_.returned(incarnation);
    if (holder && holder->incarnation != incarnation) {
      departed_.lapsed(*holder, host_.now());
    }
  }
  look();
  return written(
      receipt{entry == lease_table::entry::fenced ? standing::fenced : standing::accepted,
              whole_milliseconds(options_.period),
              whole_milliseconds(options_.periods * options_.period)});
}

result<wire::buffer> server::renew(std::span<const std::byte> arguments) {
  const auto incarnation = read_incarnation(arguments);
  if (!incarnation) {
    return incarnation.error();
  }
  wire::buffer known;
  wire::pack(known, table_.renew(*incarnation, host_.now()));
  return known;
}

result<wire::buffer> server::leave(std::span<const std::byte> arguments) {
  auto last = read_farewell(arguments);
  if (!last) {
    return last.error();
  }
  table_.leave(last->incarnation);
  departed_.left(*std::move(last), host_.now());
  look();
  wire::buffer nothing;
  wire::pack(nothing, msgpack::type::nil_t());
  return nothing;
}

void server::watch(std::span<const std::byte> arguments, const rpc::control_server::answer& tell) {
  auto asked = read_question(arguments);
  if (!asked) {
    tell(asked.error());
    return;
  }
  if (watches_.size() >= most_watches) {
    tell(error(errc::busy, "too many questions wait here for news"));
    return;
  }
  watch_bytes_ += arguments.size();
  watches_.ask(*std::move(asked), host_.now(), [this, tell](const news& what) {
    auto told = written(what);
    watch_bytes_ += told.size();
    tell(std::move(told));
  });
  alarm_.set(std::min(table_.next_look(), watches_.next_end()));
}

result<wire::buffer> server::list() const {
  auto all = table_.list(host_.now());
  all.watchers = watches_.size();
  all.watch_bytes = watch_bytes_;
  return written(all);
}

result<wire::buffer> server::departed() const {
  return written(departed_.list(host_.now()));
}

void server::look() {
  const time_point now = host_.now();
  if (now >= table_.next_look()) {
    for (const auto& each : table_.expire(now)) {
      departed_.lapsed(each, now);
      log::warn_limited(
          "lease_ended", "lease_ended", {{"node", each.node}, {"address", each.address}});
    }
  }
  watches_.look(table_.take_touched(), now);
  alarm_.set(std::min(table_.next_look(), watches_.next_end()));
}

}  // namespace mailroom::directory
