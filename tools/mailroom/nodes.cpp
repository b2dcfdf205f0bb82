#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/known_nodes.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/table.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/base/text.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>

namespace mailroom::cli {
namespace {

struct list_options {
  std::vector<std::string> directories;
  duration timeout = std::chrono::seconds(5);
  bool as_json = false;
};

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

// In two units at most.
std::string age(std::uint64_t milliseconds) {
  const std::uint64_t seconds = milliseconds / 1000;
  if (seconds == 0) {
    return std::to_string(milliseconds) + "ms";
  }
  struct step {
    std::uint64_t seconds;
    const char* unit;
  };
  constexpr std::array steps{step{86'400, "d"}, step{3600, "h"}, step{60, "m"}, step{1, "s"}};
  const auto* const large = std::find_if(
      steps.begin(), steps.end(), [&](const step& each) { return seconds >= each.seconds; });
  std::string text = std::to_string(seconds / large->seconds) + large->unit;
  if (const auto* const small = large + 1; small != steps.end()) {
    text += std::to_string(seconds % large->seconds / small->seconds) + small->unit;
  }
  return text;
}

const char* state_of(const directory::registration& node) {
  return node.draining ? "draining" : "up";
}

nlohmann::ordered_json topic_json(const directory::key& of) {
  nlohmann::ordered_json out;
  out["exchange"] = of.exchange;
  out["topic"] = of.topic;
  return out;
}

void print_nodes_as_json(const known_nodes& found) {
  auto all = nlohmann::ordered_json::array();
  for (const auto& each : found.nodes) {
    nlohmann::ordered_json out;
    out["name"] = each.what.node;
    out["address"] = each.what.address;
    out["incarnation"] = hexadecimal(each.what.incarnation);
    out["state"] = state_of(each.what);
    out["zone"] = each.what.labels.zone;
    out["weight"] = each.what.labels.weight;
    out["version"] = each.what.labels.version;
    out["age_ms"] = each.lived_ms;
    out["registered_ms"] = each.age_ms;
    out["renewed_ms"] = each.renewed_ms;
    out["directories"] = each.directories;
    out["topics"] = nlohmann::ordered_json::array();
    for (const auto& topic : each.what.topics) {
      out["topics"].push_back(topic_json(topic));
    }
    all.push_back(std::move(out));
  }
  std::cout << json_text(all) << std::endl;
}

void print_nodes(const known_nodes& found) {
  table shown(
      {"NAME", "ADDRESS", "STATE", "ZONE", "WEIGHT", "VERSION", "AGE", "RENEWED", "TOPICS"});
  for (const auto& each : found.nodes) {
    std::string topics;
    for (const auto& topic : each.what.topics) {
      topics += (topics.empty() ? "" : ", ") + topic.topic;
    }
    shown.add({or_dash(each.what.node),
               each.what.address,
               state_of(each.what),
               or_dash(each.what.labels.zone),
               std::to_string(each.what.labels.weight),
               or_dash(each.what.labels.version),
               age(each.lived_ms),
               age(each.renewed_ms),
               or_dash(topics)});
  }
  std::cout << shown.text() << std::endl;
}

int nodes(const list_options& with) {
  const std::string verb = "nodes";
  const auto found = find_nodes(with.directories, end_of(with.timeout));
  if (!found) {
    return not_started(verb, found.error());
  }
  with.as_json ? print_nodes_as_json(*found) : print_nodes(*found);
  complain_of_silent(verb, *found);
  return 0;
}

int topics(const list_options& with) {
  const std::string verb = "topics";
  const auto found = find_nodes(with.directories, end_of(with.timeout));
  if (!found) {
    return not_started(verb, found.error());
  }
  std::map<directory::key, std::vector<const known_node*>> served;
  for (const auto& each : found->nodes) {
    for (const auto& topic : each.what.topics) {
      served[topic].push_back(&each);
    }
  }
  if (with.as_json) {
    auto all = nlohmann::ordered_json::array();
    for (const auto& [topic, by] : served) {
      auto out = topic_json(topic);
      out["nodes"] = nlohmann::ordered_json::array();
      for (const auto* each : by) {
        nlohmann::ordered_json one;
        one["name"] = each->what.node;
        one["address"] = each->what.address;
        one["state"] = state_of(each->what);
        out["nodes"].push_back(std::move(one));
      }
      all.push_back(std::move(out));
    }
    std::cout << json_text(all) << std::endl;
  } else {
    table shown({"TOPIC", "EXCHANGE", "SERVERS", "NODES"});
    for (const auto& [topic, by] : served) {
      std::string names;
      for (const auto* each : by) {
        names += (names.empty() ? "" : ", ") + each->what.node +
                 (each->what.draining ? " (draining)" : "");
      }
      shown.add({topic.topic, topic.exchange, std::to_string(by.size()), names});
    }
    std::cout << shown.text() << std::endl;
  }
  complain_of_silent(verb, *found);
  return 0;
}

void add(const command& verb, int (*what)(const list_options&)) {
  auto with = std::make_shared<list_options>();
  add_directories(verb, with->directories);
  add_duration(verb, "--timeout", with->timeout, "How long it may take");
  add_json(verb, with->as_json);
  verb.runs([with, what] { return what(*with); });
}

}  // namespace

void add_nodes(const command& to) {
  add(to.add_verb("nodes",
                  "The nodes that are registered with directories",
                  "mailroom nodes --directory tcp://127.0.0.1:7000"),
      &nodes);
}

void add_topics(const command& to) {
  add(to.add_verb("topics",
                  "What is served, and by which nodes",
                  "mailroom topics --directory tcp://10.0.0.1:7000,tcp://10.0.0.2:7000"),
      &topics);
}

}  // namespace mailroom::cli
