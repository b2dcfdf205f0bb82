#include <mailroom/services/host/addresses.hpp>
#include <mailroom/services/host/node_impl.hpp>
#include <mailroom/services/host/service_settings.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <utility>

namespace mailroom {
namespace {

std::vector<std::string> queue_policy_names() {
  std::vector<std::string> names;
  for (const auto each : queue_policies) {
    names.emplace_back(to_string(each));
  }
  return names;
}

error refused(const config& settings, const std::string& key, const std::string& why) {
  // A flag and a variable name the setting themselves, a line of a file may have several.
  const std::string origin = settings.origin(key);
  const bool in_file = !origin.starts_with("--") && !origin.starts_with("MAILROOM_");
  return error(errc::invalid_value, origin + ": " + (in_file ? key + ": " : "") + why);
}

result<std::vector<executor_options>> executors_from(const config& settings) {
  std::vector<executor_options> all;
  for (const auto& name : settings.names("executors")) {
    const std::string policy = "executors." + name + ".policy";
    const std::string workers = "executors." + name + ".workers";
    const std::string spares = "executors." + name + ".spare_workers";
    const auto number = [&](const std::string& key) {
      return settings.has(key) ? static_cast<std::size_t>(settings.integer(key)) : 0;
    };
    if (!settings.has(policy)) {
      return error(errc::invalid_value,
                   settings.origin(settings.has(workers) ? workers : spares) + ": executor '" +
                       name + "' has no policy; set " + policy);
    }
    const auto policies = executors::policies();
    if (std::find(policies.begin(), policies.end(), name) != policies.end()) {
      return error(errc::invalid_value,
                   settings.origin(policy) + ": an executor cannot be named '" + name +
                       "', which is a policy; choose another name");
    }
    all.push_back({.name = name,
                   .policy = settings.text(policy),
                   .workers = number(workers),
                   .spare_workers = number(spares)});
  }
  return all;
}

/// Which executor a setting names, or where it names one that does not exist.
result<std::string> executor_named(const std::string& name,
                                   const std::string& key,
                                   const config& settings,
                                   const std::vector<executor_options>& own) {
  const auto known =
      read_executor_name(name, own, static_cast<std::size_t>(settings.integer("node.loops")));
  if (!known) {
    return error(errc::invalid_value,
                 settings.origin(key) + ": " + std::string(known.error().message()));
  }
  return name;
}

using pairs = std::vector<std::pair<std::string, std::string>>;

/// The items of a list as topics and what each says of them.
result<pairs> by_topic(const config& settings, const std::string& key, const char* what) {
  pairs all;
  for (const auto& each : settings.list(key)) {
    const auto equals = each.rfind('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == each.size()) {
      return refused(settings, key, "'" + each + "' is not topic=" + what);
    }
    all.emplace_back(each.substr(0, equals), each.substr(equals + 1));
  }
  return all;
}

/// The table [placement] < the flag --place.
result<std::map<std::string, std::string>> placement_from(
    const config& settings, const std::vector<executor_options>& own) {
  std::map<std::string, std::string> all;
  for (const auto& topic : settings.names("placement")) {
    const std::string key = "placement." + topic;
    auto executor = executor_named(settings.text(key), key, settings, own);
    if (!executor) {
      return executor.error();
    }
    all[topic] = *std::move(executor);
  }
  const auto places = by_topic(settings, "node.place", "executor");
  if (!places) {
    return places.error();
  }
  for (const auto& [topic, name] : *places) {
    auto executor = executor_named(name, "node.place", settings, own);
    if (!executor) {
      return executor.error();
    }
    all[topic] = *std::move(executor);
  }
  return all;
}

result<std::size_t> number_from(const config& settings,
                                const std::string& key,
                                const std::string& text,
                                std::size_t most) {
  std::size_t number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{} || read.ptr != end || number == 0 || number > most) {
    return refused(
        settings, key, "'" + text + "' is not a number from 1 to " + std::to_string(most));
  }
  return number;
}

/// The tables [endpoints."topic"] < the flags --queue-limit, --queue-policy and --instances.
result<std::map<std::string, endpoint_options>> endpoints_from(const config& settings) {
  std::map<std::string, endpoint_options> all;
  for (const auto& topic : settings.names("endpoints")) {
    const std::string table = "endpoints." + topic;
    if (const auto key = table + ".queue_limit"; settings.has(key)) {
      all[topic].queue_limit = static_cast<std::size_t>(settings.integer(key));
    }
    if (const auto key = table + ".queue_policy"; settings.has(key)) {
      all[topic].queue_policy = queue_policy_from(settings.text(key));
    }
    if (const auto key = table + ".instances"; settings.has(key)) {
      all[topic].instances = static_cast<std::size_t>(settings.integer(key));
    }
  }
  const auto limits = by_topic(settings, "node.queue_limit", "calls");
  if (!limits) {
    return limits.error();
  }
  for (const auto& [topic, text] : *limits) {
    const auto calls =
        number_from(settings, "node.queue_limit", text, endpoint_options::most_queued);
    if (!calls) {
      return calls.error();
    }
    all[topic].queue_limit = *calls;
  }
  const auto policies = by_topic(settings, "node.queue_policy", "policy");
  if (!policies) {
    return policies.error();
  }
  for (const auto& [topic, name] : *policies) {
    const auto policy = queue_policy_from(name);
    if (!policy) {
      const auto known = queue_policy_names();
      const auto near = nearest(name, known);
      return refused(settings,
                     "node.queue_policy",
                     "no queue policy '" + name + "'" +
                         (near.empty() ? "" : " (nearest: " + near + ")") + "; there are " +
                         known[0] + ", " + known[1] + " and " + known[2]);
    }
    all[topic].queue_policy = *policy;
  }
  const auto counts = by_topic(settings, "node.instances", "number");
  if (!counts) {
    return counts.error();
  }
  for (const auto& [topic, text] : *counts) {
    const auto count =
        number_from(settings, "node.instances", text, endpoint_options::most_instances);
    if (!count) {
      return count.error();
    }
    all[topic].instances = *count;
  }
  return all;
}

/// [directory] static: "topic=address", or "exchange/topic=address".
result<std::vector<static_server>> static_servers_from(const config& settings) {
  const auto named = by_topic(settings, "directory.static", "address");
  if (!named) {
    return named.error();
  }
  std::vector<static_server> all;
  for (const auto& [name, address] : *named) {
    if (const auto good = check_connect_address(address); !good) {
      return refused(settings, "directory.static", std::string(good.error().message()));
    }
    static_server each{.topic = name, .address = address};
    if (const auto slash = name.find('/'); slash != std::string::npos) {
      each.exchange = name.substr(0, slash);
      each.topic = name.substr(slash + 1);
    }
    all.push_back(std::move(each));
  }
  return all;
}

}  // namespace

config_schema node_schema(const std::vector<option>& more) {
  std::vector<std::string> policies;
  for (const auto each : executors::policies()) {
    policies.emplace_back(each);
  }
  config_schema schema;
  schema
      .add({.key = "node.name",
            .help = "how peers call this node; default: host name and process id"})
      .add({.key = "node.listen",
            .fallback = "tcp://127.0.0.1:0",
            .help = "address to serve at; port 0 lets the system choose"})
      .add({.key = "node.connect",
            .type = option_type::list,
            .help = "addresses of the nodes to call"})
      .add({.key = "node.directory",
            .type = option_type::list,
            .help = "addresses of the directories (mailroom-directory) to register with and to "
                    "find others in"})
      .add({.key = "node.advertise",
            .help = "address to register; default: where it listens, as the directory sees it"})
      .add({.key = "directory.static",
            .type = option_type::list,
            .help = "topic=address (or exchange/topic=address): a server that is known beforehand; "
                    "may be repeated"})
      .add({.key = "labels.zone",
            .help =
                "where this node stands: callers of the same zone call it rather than others, and "
                "it them"})
      .add({.key = "labels.weight",
            .type = option_type::integer,
            .fallback = std::to_string(rpc::node_labels::usual_weight),
            .help = "its share of the calls, beside those of the others; 0: only what nobody else "
                    "can take",
            .minimum = 0,
            .maximum = rpc::node_labels::most_weight})
      .add({.key = "labels.version", .help = "version of the program, for people"})
      .add({.key = "node.executor",
            .fallback = "loop-bound",
            .help =
                "when and where handlers run: cooperative, work-stealing, loop-bound, or one of "
                "[executors]"})
      .add({.key = "node.loops",
            .type = option_type::integer,
            .fallback = "1",
            .help = "threads that do I/O, and of the loop-bound executor; each topic is at home on "
                    "one of them",
            .minimum = 1,
            .maximum = wire::max_addresses})
      .add({.key = "node.workers",
            .type = option_type::integer,
            .fallback = "0",
            .help = "threads of the work-stealing executor; 0: one per core",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "node.spare_workers",
            .type = option_type::integer,
            .fallback = "0",
            .help = "threads that stand in for those of the work-stealing executor which the "
                    "watchdog finds stuck in a handler, at most",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "node.blocking_threads",
            .type = option_type::integer,
            .fallback = "0",
            .help =
                "threads for blocking handlers, at most; 0: four more than there are cores, 32 at "
                "most",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "node.place",
            .type = option_type::list,
            .help = "topic=executor: serves that topic on that executor (loop-bound/1: on that "
                    "loop); may be repeated"})
      .add({.key = "placement.*", .help = "the executor of a topic, as --place says it"})
      .add({.key = "executors.*.policy",
            .help = "policy of an executor of that name: cooperative, work-stealing or loop-bound",
            .choices = policies})
      .add({.key = "executors.*.workers",
            .type = option_type::integer,
            .help = "its threads, if it is work-stealing; 0: one per core",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "executors.*.spare_workers",
            .type = option_type::integer,
            .help = "threads that stand in for its own that are stuck, as node.spare_workers",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "node.queue_limit",
            .type = option_type::list,
            .help = "topic=calls: how many of that topic may wait to be started; may be repeated"})
      .add({.key = "node.queue_policy",
            .type = option_type::list,
            .help = "topic=policy: who goes when more would wait: refuse_newest, drop_oldest or "
                    "by_priority; may be repeated"})
      .add({.key = "node.instances",
            .type = option_type::list,
            .help =
                "topic=number: so many actors serve that topic, if its code says that there may "
                "be several; may be repeated"})
      .add({.key = "endpoints.*.queue_limit",
            .type = option_type::integer,
            .help = "calls of a topic that may wait, as --queue-limit says it",
            .minimum = 1,
            .maximum = static_cast<std::int64_t>(endpoint_options::most_queued)})
      .add({.key = "endpoints.*.queue_policy",
            .help = "who goes when more would wait, as --queue-policy says it",
            .choices = queue_policy_names()})
      .add({.key = "endpoints.*.instances",
            .type = option_type::integer,
            .help = "how many actors serve a topic, as --instances says it",
            .minimum = 1,
            .maximum = static_cast<std::int64_t>(endpoint_options::most_instances)})
      .add({.key = "node.heartbeat",
            .type = option_type::time,
            .fallback = "1s",
            .help = "a peer is dead after three missed heartbeats"})
      .add({.key = "node.stuck_after",
            .type = option_type::time,
            .fallback = "1s",
            .help = "an endpoint that starts none of its waiting calls for so long gets no new "
                    "ones; 0: it does"})
      .add({.key = "node.watchdog",
            .type = option_type::time,
            .fallback = "1s",
            .help = "a handler that keeps its thread for longer is logged with its stack; 0: none "
                    "is"})
      .add({.key = "node.max_body",
            .type = option_type::size,
            .fallback = "32MiB",
            .help = "largest body"})
      .add({.key = "node.kept_answers",
            .type = option_type::size,
            .fallback = "16MiB",
            .help = "answers to idempotent calls that are kept for calls that come again; 0: none"})
      .add({.key = "node.answers_kept_for",
            .type = option_type::time,
            .fallback = "2m",
            .help = "and for how long"})
      .add({.key = "node.drain",
            .type = option_type::time,
            .fallback = "5s",
            .help = "how long running handlers may go on after SIGTERM"})
      .add({.key = "log.level",
            .fallback = "info",
            .help = "what is logged",
            .choices = {"debug", "info", "warn", "error", "off"}});
  for (const auto& each : more) {
    schema.add(each);
  }
  return schema;
}

result<node_options> node_options_from(const config& settings) {
  if (const auto good = check_listen_address(settings.text("node.listen")); !good) {
    // Empty, too: a node may only call, a service serves.
    return refused(settings, "node.listen", std::string(good.error().message()));
  }
  auto executors = executors_from(settings);
  if (!executors) {
    return executors.error();
  }
  auto placement = placement_from(settings, *executors);
  if (!placement) {
    return placement.error();
  }
  auto endpoints = endpoints_from(settings);
  if (!endpoints) {
    return endpoints.error();
  }
  auto executor =
      executor_named(settings.text("node.executor"), "node.executor", settings, *executors);
  if (!executor) {
    return executor.error();
  }
  auto static_servers = static_servers_from(settings);
  if (!static_servers) {
    return static_servers.error();
  }
  node_options read{
      .name = settings.text("node.name"),
      .listen = settings.text("node.listen"),
      .connect = settings.list("node.connect"),
      .directory = settings.list("node.directory"),
      .static_servers = *std::move(static_servers),
      .advertise = settings.text("node.advertise"),
      .labels = {.zone = settings.text("labels.zone"),
                 .weight = static_cast<std::uint32_t>(settings.integer("labels.weight")),
                 .version = settings.text("labels.version")},
      .executor = *std::move(executor),
      .loops = static_cast<std::size_t>(settings.integer("node.loops")),
      .workers = static_cast<std::size_t>(settings.integer("node.workers")),
      .spare_workers = static_cast<std::size_t>(settings.integer("node.spare_workers")),
      .blocking_threads = static_cast<std::size_t>(settings.integer("node.blocking_threads")),
      .executors = *std::move(executors),
      .placement = *std::move(placement),
      .endpoints = *std::move(endpoints),
      .heartbeat = settings.time("node.heartbeat"),
      .stuck_after = settings.time("node.stuck_after"),
      .watchdog = settings.time("node.watchdog"),
      .max_body = static_cast<std::size_t>(settings.size("node.max_body")),
      .kept_answers = static_cast<std::size_t>(settings.size("node.kept_answers")),
      .answers_kept_for = settings.time("node.answers_kept_for")};
  if (const auto wrong = find_wrong(read)) {
    const std::string name = wrong->name;
    return refused(settings,
                   name.find('.') == std::string::npos ? "node." + name : name,
                   std::string(wrong->why.message()));
  }
  return read;
}

}  // namespace mailroom
