#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/in_parallel.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/known_nodes.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/table.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/wire/json.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::cli {
namespace {

struct ledger_options {
  std::vector<std::string> connect;
  std::vector<std::string> directories;
  duration timeout = std::chrono::seconds(5);
  bool as_json = false;
};

// Every message is in one of them.
constexpr std::array<const char*, 10> states{"told",
                                             "handled",
                                             "failed",
                                             "expired",
                                             "busy",
                                             "unroutable",
                                             "lost",
                                             "cancelled",
                                             "duplicate",
                                             "open"};

void add(nlohmann::ordered_json& sum, const nlohmann::json& side) {
  for (const auto& [name, count] : side.items()) {
    sum[name] = sum.value(name, std::int64_t{0}) + count.get<std::int64_t>();
  }
}

table::row line(const std::string& node, const char* side, const nlohmann::ordered_json& of) {
  const auto number = [&](const char* name) {
    return std::to_string(of.value(name, std::int64_t{0}));
  };
  table::row cells{node, side, of.contains("sent") ? number("sent") : "-", number("messages")};
  for (const char* state : states) {
    cells.push_back(number(state));
  }
  cells.push_back(number("difference"));
  return cells;
}

result<nlohmann::json> ask(node& through, const std::string& address, duration timeout) {
  const auto answer = through.admin(address, "ledger", timeout);
  if (!answer) {
    return answer.error();
  }
  const auto read = wire::json_from_body(answer->view());
  if (!read) {
    return read.error();
  }
  auto told = nlohmann::json(json_from(*read));
  told["address"] = address;
  return told;
}

int ledger(const ledger_options& with) {
  const std::string verb = "ledger";
  const time_point until = end_of(with.timeout);
  std::vector<std::string> addresses = with.connect;
  if (addresses.empty()) {
    if (directories_or_default(with.directories).empty()) {
      return misused(verb, "--connect is required, or --directory");
    }
    const auto found = find_nodes(with.directories, until);
    if (!found) {
      return not_started(verb, found.error());
    }
    complain_of_silent(verb, *found);
    for (const auto& each : found->nodes) {
      addresses.push_back(each.what.address);
    }
  }
  auto nodes = nlohmann::json::array();
  auto out = nlohmann::ordered_json::object();
  auto in = nlohmann::ordered_json::object();
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, addresses); !up) {
    return not_started(verb, up.error());
  }
  std::string silent;
  const auto answers = in_parallel(
      addresses, [&](const std::string& each) { return ask(*here, each, with.timeout); });
  for (const auto& told : answers) {
    if (told) {
      add(out, told->at("out"));
      add(in, told->at("in"));
      nodes.push_back(*told);
    } else {
      silent += (silent.empty() ? "" : "; ") + told.error().to_string();
    }
  }
  if (nodes.empty() && !addresses.empty()) {
    return failed(verb, silent);
  }
  // Without all of them there is no difference between nodes to speak of.
  const bool all_told = nodes.size() == addresses.size();
  const int code =
      all_told ? 0
               : failed(verb,
                        std::to_string(addresses.size() - nodes.size()) + " of " +
                            std::to_string(addresses.size()) + " nodes did not answer: " + silent);
  const std::int64_t between =
      out.value("sent", std::int64_t{0}) - in.value("messages", std::int64_t{0});
  if (with.as_json) {
    nlohmann::ordered_json all;
    all["nodes"] = nodes;
    all["sum"]["out"] = out;
    all["sum"]["in"] = in;
    all["difference_between"] =
        all_told ? nlohmann::ordered_json(between) : nlohmann::ordered_json();
    std::cout << json_text(all) << std::endl;
    return code;
  }
  table shown({"NODE",
               "SIDE",
               "SENT",
               "MESSAGES",
               "TOLD",
               "HANDLED",
               "FAILED",
               "EXPIRED",
               "BUSY",
               "UNROUTABLE",
               "LOST",
               "CANCELLED",
               "DUPLICATE",
               "OPEN",
               "DIFFERENCE"});
  for (const auto& each : nodes) {
    const auto name = each.value("node", each.value("address", std::string()));
    shown.add(line(name, "out", each.at("out")));
    shown.add(line(name, "in", each.at("in")));
  }
  if (nodes.size() > 1) {
    shown.add(line("all", "out", out));
    shown.add(line("all", "in", in));
  }
  std::cout << shown.text() << "\n\nsent " << out.value("sent", std::int64_t{0}) << ", received "
            << in.value("messages", std::int64_t{0}) << ", difference "
            << (all_told ? std::to_string(between) : "unknown") << std::endl;
  return code;
}

}  // namespace

void add_ledger(const command& to) {
  const command verb = to.add_verb(
      "ledger",
      "What became of every message: those that a node sent (out), and those that came (in). "
      "`difference` is what is accounted for nowhere, and 0 when nothing is under way; between "
      "nodes it is 0 if all that speak to each other are named, and no connection broke",
      "mailroom ledger --connect tcp://127.0.0.1:7001,tcp://127.0.0.1:7002");
  auto with = std::make_shared<ledger_options>();
  add_connect(verb, with->connect);
  add_directories(verb, with->directories);
  add_duration(verb, "--timeout", with->timeout, "How long to wait for each node");
  add_json(verb, with->as_json);
  verb.runs([with] { return ledger(*with); });
}

}  // namespace mailroom::cli
