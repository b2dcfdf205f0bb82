#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/table.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <tuple>

namespace mailroom::cli {
namespace {

struct list_options {
  std::string connect;
  duration timeout = std::chrono::seconds(5);
  bool as_json = false;
};

struct set_options : list_options {
  std::string topic;
  std::string executor;
};

/// What a node may take of what is left: it says more when it gives up than we can, if its answer
/// arrives before we do.
std::chrono::milliseconds share_of_node(duration left) {
  constexpr duration way_back = std::chrono::milliseconds(500);
  constexpr duration most = std::chrono::hours(24);  // Fits the field.
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::min(left - std::min(left / 4, way_back), most));
}

struct column {
  const char* title;
  const char* key;
};
constexpr column columns[] = {{"NAME", "name"},
                              {"POLICY", "policy"},
                              {"THREADS", "threads"},
                              {"ENDPOINTS", "endpoints"},
                              {"QUEUED", "queued"},
                              {"CALLS", "queued_calls"},
                              {"BUSY", "busy_share"},
                              {"TURNS", "turns"},
                              {"STEALS", "steals"},
                              {"PARKS", "parks"},
                              {"WAKEUPS", "wakeups"},
                              {"HOPS", "hops"},
                              {"LONGEST TURN", "longest_turn_us"},
                              {"STUCK", "stuck"},
                              {"WERE STUCK", "stuck_turns"}};

std::string cell(const nlohmann::json& of, const std::string& key) {
  const auto found = of.find(key);
  if (found == of.end() || found->is_null()) {
    return "-";
  }
  if (key == "busy_share") {
    return std::to_string(static_cast<int>(found->get<double>() * 100 + 0.5)) + " %";
  }
  if (const auto spares = key == "threads" ? of.value("spares", std::size_t{0}) : 0; spares != 0) {
    return std::to_string(found->get<std::size_t>() - spares) + "+" + std::to_string(spares);
  }
  if (key == "longest_turn_us") {
    return json_text(*found) + " us";
  }
  return found->is_string() ? found->get<std::string>() : json_text(*found);
}

int list(const list_options& with) {
  const std::string verb = "executor ls";
  const time_point until = end_of(with.timeout);
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, with.connect); !up) {
    return not_started(verb, up.error());
  }
  const auto answer = here->admin(with.connect, "executors", left_until(until));
  if (!answer) {
    return failed(verb, answer.error());
  }
  const auto json = wire::json_from_body(answer->view());
  if (!json) {
    return failed(verb, json.error());
  }
  if (with.as_json) {
    std::cout << *json << std::endl;
    return 0;
  }
  table::row head;
  for (const auto& each : columns) {
    head.emplace_back(each.title);
  }
  table shown(std::move(head));
  for (const auto& each : json_from(*json)) {
    table::row cells;
    for (const auto& of : columns) {
      cells.push_back(cell(each, of.key));
    }
    shown.add(std::move(cells));
  }
  std::cout << shown.text() << std::endl;
  return 0;
}

int set(const set_options& with) {
  const std::string verb = "executor set";
  const time_point until = end_of(with.timeout);
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, with.connect); !up) {
    return not_started(verb, up.error());
  }
  wire::buffer asked;
  const auto limit = share_of_node(left_until(until));
  wire::pack(asked,
             std::tuple(with.topic, with.executor, static_cast<std::uint32_t>(limit.count())));
  const auto begun = clock::now();
  const auto done = here->admin(with.connect, "place", bytes(std::move(asked)), left_until(until));
  if (!done) {
    return failed(verb, done.error());
  }
  const auto took = std::chrono::duration<double, std::milli>(clock::now() - begun).count();
  if (with.as_json) {
    nlohmann::ordered_json out;
    out["topic"] = with.topic;
    out["executor"] = with.executor;
    out["took_ms"] = took;
    std::cout << json_text(out) << std::endl;
  } else {
    std::cout << with.topic << " is served by " << with.executor << " now" << std::endl;
  }
  return 0;
}

}  // namespace

void add_executor(const command& to) {
  const command group = to.add_group(
      "executor", "The executors of a node", "mailroom executor ls --connect tcp://127.0.0.1:7001");
  const command ls = group.add_verb(
      "ls",
      "List them with their threads, load and counters (since the node began; BUSY of its life)",
      "mailroom executor ls --connect tcp://127.0.0.1:7001");
  auto with = std::make_shared<list_options>();
  add_connect(ls, with->connect);
  add_duration(ls, "--timeout", with->timeout, "How long it may take");
  add_json(ls, with->as_json);
  ls.runs([with] { return list(*with); });

  const command set_verb = group.add_verb(
      "set",
      "Move the endpoints of a topic to another executor while they serve",
      "mailroom executor set --connect tcp://127.0.0.1:7001 --topic echo work-stealing");
  auto to_set = std::make_shared<set_options>();
  add_connect(set_verb, to_set->connect);
  add_topic(set_verb, to_set->topic, "Whose endpoints").required();
  set_verb
      .add_text("executor",
                to_set->executor,
                "A policy, or an executor of the node's own; loop-bound/1 is its loop 1",
                "EXECUTOR")
      .required();
  add_duration(set_verb,
               "--timeout",
               to_set->timeout,
               "How long it may take; suspending handlers may keep it");
  add_json(set_verb, to_set->as_json);
  set_verb.runs([to_set] { return set(*to_set); });
}

}  // namespace mailroom::cli
