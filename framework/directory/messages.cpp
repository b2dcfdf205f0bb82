#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/directory/messages.hpp>
#include <mailroom/framework/wire/body.hpp>

#include <algorithm>
#include <concepts>
#include <type_traits>
#include <utility>

namespace mailroom::directory {
namespace {

using msgpack::type::make_define_array;
using msgpack::type::make_define_map;

template <class T, class Of>
concept some = std::same_as<std::remove_const_t<T>, Of>;

auto fields(some<key> auto& of) {
  return make_define_array(of.exchange, of.topic);
}

// The labels stand among the others: a map of their own would be longer than they are.
auto fields(some<registration> auto& of) {
  return make_define_map("node",
                         of.node,
                         "incarnation",
                         of.incarnation,
                         "born",
                         of.born,
                         "address",
                         of.address,
                         "topics",
                         of.topics,
                         "zone",
                         of.labels.zone,
                         "weight",
                         of.labels.weight,
                         "version",
                         of.labels.version,
                         "draining",
                         of.draining);
}

auto fields(some<departure> auto& of) {
  return make_define_map("address", of.address, "incarnation", of.incarnation, "lapsed", of.lapsed);
}

// An enumeration would be read by its name.
struct receipt_body {
  std::uint8_t standing = 0;
  std::uint32_t renew_ms = receipt{}.renew_ms;
  std::uint32_t lease_ms = receipt{}.lease_ms;
};
auto fields(some<receipt_body> auto& of) {
  return make_define_map("standing", of.standing, "renew_ms", of.renew_ms, "lease_ms", of.lease_ms);
}

auto fields(some<question> auto& of) {
  return make_define_map("watcher",
                         of.watcher,
                         "epoch",
                         of.epoch,
                         "revision",
                         of.revision,
                         "keys",
                         of.keys,
                         "fresh",
                         of.fresh,
                         "all",
                         of.all,
                         "wait_ms",
                         of.wait_ms);
}

auto fields(some<news> auto& of) {
  return make_define_map("epoch",
                         of.epoch,
                         "revision",
                         of.revision,
                         "complete",
                         of.complete,
                         "settling_ms",
                         of.settling_ms,
                         "left",
                         of.left,
                         "joined",
                         of.joined);
}

auto fields(some<listed> auto& of) {
  return make_define_map("registration", of.what, "age_ms", of.age_ms, "renewed_ms", of.renewed_ms);
}

auto fields(some<listing> auto& of) {
  return make_define_map("epoch",
                         of.epoch,
                         "age_ms",
                         of.age_ms,
                         "watchers",
                         of.watchers,
                         "watch_bytes",
                         of.watch_bytes,
                         "nodes",
                         of.nodes);
}

auto fields(some<ledger> auto& of) {
  return make_define_map("out", of.out, "in", of.in);
}

auto fields(some<farewell> auto& of) {
  return make_define_map("incarnation",
                         of.incarnation,
                         "node",
                         of.node,
                         "address",
                         of.address,
                         "ledger",
                         of.counted,
                         "counted_ms",
                         of.counted_ms);
}

auto fields(some<departed> auto& of) {
  return make_define_map("farewell", of.last, "lapsed", of.lapsed, "age_ms", of.age_ms);
}

auto fields(some<earlier_departures> auto& of) {
  return make_define_map("left", of.left, "lapsed", of.lapsed, "ledger", of.counted);
}

auto fields(some<departures> auto& of) {
  return make_define_map("nodes", of.nodes, "earlier", of.earlier);
}

template <class T>
concept told = requires(T& of) {
  fields(of);
};

}  // namespace
}  // namespace mailroom::directory

namespace msgpack {
MSGPACK_API_VERSION_NAMESPACE(MSGPACK_DEFAULT_API_NS) {
  namespace adaptor {

  template <mailroom::directory::told T>
  struct pack<T> {
    template <class Stream>
    packer<Stream>& operator()(packer<Stream>& out, const T& value) const {
      mailroom::directory::fields(value).msgpack_pack(out);
      return out;
    }
  };

  template <mailroom::directory::told T>
  struct convert<T> {
    const msgpack::object& operator()(const msgpack::object& from, T& into) const {
      mailroom::directory::fields(into).msgpack_unpack(from);
      return from;
    }
  };

  }  // namespace adaptor
}
}  // namespace msgpack

namespace mailroom::directory {
namespace {

constexpr std::size_t longest_state = 64;  // Bytes of its name.

template <class T>
result<T> read(std::span<const std::byte> from, const char* what) {
  auto body = wire::unpack<T>(from);
  if (!body) {
    return error(errc::invalid_arguments, std::string("no ") + what + " of a directory");
  }
  return body;
}

error beyond(const char* what) {
  return error(errc::invalid_arguments, std::string(what) + " beyond its limits");
}

bool fits(std::string_view text) noexcept {
  return text.size() <= wire::max_text;
}

bool fits(const std::vector<key>& keys) noexcept {
  return keys.size() <= wire::max_topics && std::all_of(keys.begin(), keys.end(), [](auto& each) {
           return fits(each.exchange) && fits(each.topic);
         });
}

bool fits(const registration& what) noexcept {
  return fits(what.node) && fits(what.address) && fits(what.topics) && fits(what.labels.zone) &&
         fits(what.labels.version);
}

bool fits(const ledger::account& of) noexcept {
  return of.size() <= ledger::most_names && std::all_of(of.begin(), of.end(), [](auto& each) {
           return each.first.size() <= longest_state;
         });
}

bool fits(const farewell& what) noexcept {
  return fits(what.node) && fits(what.address) && fits(what.counted.out) && fits(what.counted.in);
}

result<void> check_name(const std::string& node) {
  if (!is_shown(node)) {
    return error(errc::invalid_value,
                 "a node's name is text that can be shown, not '" + shown(node) + "'");
  }
  return {};
}

void put_in_order(std::vector<key>& keys) {
  if (!std::is_sorted(keys.begin(), keys.end())) {
    std::sort(keys.begin(), keys.end());
  }
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

void put_in_order(registration& what) {
  put_in_order(what.topics);
  what.labels.weight = std::min(what.labels.weight, rpc::node_labels::most_weight);
}

}  // namespace

void write(wire::buffer& into, const registration& what) {
  wire::pack(into, what);
}

void write(wire::buffer& into, const receipt& what) {
  wire::pack(into, receipt_body{static_cast<std::uint8_t>(what.as), what.renew_ms, what.lease_ms});
}

void write(wire::buffer& into, const question& what) {
  wire::pack(into, what);
}

void write(wire::buffer& into, const news& what) {
  wire::pack(into, what);
}

void write(wire::buffer& into, const listing& what) {
  wire::pack(into, what);
}

void write(wire::buffer& into, const wire::identity& incarnation) {
  wire::pack(into, incarnation);
}

void write(wire::buffer& into, const farewell& what) {
  wire::pack(into, what);
}

void write(wire::buffer& into, const departures& what) {
  wire::pack(into, what);
}

result<registration> read_registration(std::span<const std::byte> from) {
  auto what = read<registration>(from, "registration");
  if (what) {
    if (what->address.empty() || !fits(*what)) {
      return beyond("a registration");
    }
    if (const auto good = check_name(what->node); !good) {
      return good.error();
    }
    put_in_order(*what);
  }
  return what;
}

result<receipt> read_receipt(std::span<const std::byte> from) {
  const auto what = read<receipt_body>(from, "receipt");
  if (!what) {
    return what.error();
  }
  return receipt{what->standing == 0 ? standing::accepted : standing::fenced,
                 std::max<std::uint32_t>(what->renew_ms, 1),
                 what->lease_ms};
}

result<question> read_question(std::span<const std::byte> from) {
  auto what = read<question>(from, "question");
  if (what) {
    if (!fits(what->keys) || !fits(what->fresh)) {
      return beyond("a question");
    }
    put_in_order(what->keys);
    put_in_order(what->fresh);
  }
  return what;
}

result<news> read_news(std::span<const std::byte> from) {
  auto what = read<news>(from, "news");
  if (what) {
    for (auto& each : what->joined) {
      if (!fits(each)) {
        return beyond("news");
      }
      put_in_order(each);
    }
  }
  return what;
}

result<listing> read_listing(std::span<const std::byte> from) {
  return read<listing>(from, "listing");
}

result<wire::identity> read_incarnation(std::span<const std::byte> from) {
  return read<wire::identity>(from, "incarnation");
}

result<farewell> read_farewell(std::span<const std::byte> from) {
  auto what = read<farewell>(from, "farewell");
  if (what) {
    if (!fits(*what)) {
      return beyond("a farewell");
    }
    if (const auto good = check_name(what->node); !good) {
      return good.error();
    }
  }
  return what;
}

result<departures> read_departures(std::span<const std::byte> from) {
  return read<departures>(from, "list of who has left");
}

}  // namespace mailroom::directory
