// What values the options of a node may have.

#include <mailroom/services/host/addresses.hpp>
#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/wire/control.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <string>
#include <utility>

namespace mailroom {
namespace {

constexpr std::size_t most_workers = 1024;
constexpr duration shortest = std::chrono::milliseconds(10);
constexpr duration longest = std::chrono::hours(1);

bool is_within(duration value) noexcept {
  return value >= shortest && value <= longest;
}

wrong_option wrong(std::string name, const std::string& why) {
  return {std::move(name), error(errc::invalid_value, why)};
}

std::optional<std::string> wrong_spares(std::size_t spares, const node_options& of) {
  if (spares > most_workers) {
    return "at most 1024 spare workers, not " + std::to_string(spares);
  }
  if (spares != 0 && of.watchdog == duration(0)) {
    return "spare workers stand in for those that the watchdog finds stuck, and watchdog is 0";
  }
  return std::nullopt;
}

}  // namespace

std::optional<wrong_option> find_wrong(const node_options& of) {
  if (of.name.size() > wire::max_text) {
    return wrong("name",
                 "a node's name has at most " + std::to_string(wire::max_text) + " bytes, not " +
                     std::to_string(of.name.size()));
  }
  if (!is_shown(of.name)) {
    return wrong("name", "a node's name is text that can be shown, not '" + shown(of.name) + "'");
  }
  if (!of.listen.empty()) {
    if (auto good = check_listen_address(of.listen); !good) {
      return wrong_option{"listen", good.error()};
    }
  }
  for (const auto& each : of.connect) {
    if (auto good = check_connect_address(each); !good) {
      return wrong_option{"connect", good.error()};
    }
  }
  for (const auto& each : of.directory) {
    if (auto good = check_connect_address(each); !good) {
      return wrong_option{"directory", good.error()};
    }
  }
  for (const auto& each : of.static_servers) {
    if (auto good = check_connect_address(each.address); !good) {
      return wrong_option{"static_servers", good.error()};
    }
  }
  if (!of.advertise.empty()) {
    if (auto good = check_connect_address(of.advertise); !good) {
      return wrong_option{"advertise", good.error()};
    }
  }
  if (of.labels.weight > rpc::node_labels::most_weight) {
    return wrong("labels.weight",
                 "a weight is from 0 to 10000, not " + std::to_string(of.labels.weight));
  }
  for (const auto& [name, label] : {std::pair("labels.zone", &of.labels.zone),
                                    std::pair("labels.version", &of.labels.version)}) {
    if (label->size() > wire::max_text) {
      return wrong(name,
                   "a label has at most " + std::to_string(wire::max_text) + " bytes, not " +
                       std::to_string(label->size()));
    }
  }
  for (const auto& each : of.executors) {
    const std::string options = "executors." + each.name;
    for (const auto& [name, threads] :
         {std::pair("workers", each.workers), std::pair("spare_workers", each.spare_workers)}) {
      if (threads != 0 && each.policy != "work-stealing") {
        return wrong(options + "." + name,
                     "executor '" + each.name + "' is " + each.policy +
                         ": only work-stealing has threads of its own to count");
      }
    }
    if (each.workers > most_workers) {
      return wrong(options + ".workers",
                   "executor '" + each.name + "': at most 1024 workers, not " +
                       std::to_string(each.workers));
    }
    if (const auto bad = wrong_spares(each.spare_workers, of)) {
      return wrong(options + ".spare_workers", "executor '" + each.name + "': " + *bad);
    }
  }
  if (const auto bad = wrong_spares(of.spare_workers, of)) {
    return wrong("spare_workers", *bad);
  }
  for (const auto& [topic, each] : of.endpoints) {
    if (each.queue_limit &&
        (*each.queue_limit == 0 || *each.queue_limit > endpoint_options::most_queued)) {
      return wrong("endpoints",
                   "topic '" + topic + "': a queue holds from 1 to 1000000000 calls, not " +
                       std::to_string(*each.queue_limit));
    }
    if (each.instances &&
        (*each.instances == 0 || *each.instances > endpoint_options::most_instances)) {
      return wrong("endpoints",
                   "topic '" + topic + "': there are from 1 to 1024 instances, not " +
                       std::to_string(*each.instances));
    }
  }
  if (of.workers > most_workers) {
    return wrong("workers", "at most 1024 workers, not " + std::to_string(of.workers));
  }
  if (of.loops == 0 || of.loops > wire::max_addresses) {
    return wrong("loops",
                 "a node has from 1 to " + std::to_string(wire::max_addresses) +
                     " I/O loops, not " + std::to_string(of.loops));
  }
  if (!is_within(of.heartbeat)) {
    return wrong("heartbeat", "a heartbeat is from 10ms to 1h");
  }
  if (of.stuck_after != duration(0) && !is_within(of.stuck_after)) {
    return wrong("stuck_after", "an endpoint is stuck after 10ms to 1h, or with 0 never");
  }
  if (of.watchdog != duration(0) && !is_within(of.watchdog)) {
    return wrong("watchdog", "the watchdog's limit is from 10ms to 1h, or 0 for no watchdog");
  }
  if (of.max_body < 256 || of.max_body > (std::size_t{1} << 30U)) {
    return wrong("max_body",
                 "the largest body is from 256 bytes to 1 GiB, not " + std::to_string(of.max_body));
  }
  return std::nullopt;
}

}  // namespace mailroom
