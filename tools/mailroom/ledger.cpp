#include <mailroom/tools/mailroom/connected_node.hpp>
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
  table::row cells{node, side, number("messages")};
  for (const char* state : states) {
    cells.push_back(number(state));
  }
  cells.push_back(number("difference"));
  return cells;
}

result<nlohmann::json> ask(const std::string& address, time_point until) {
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, address); !up) {
    return up.error();
  }
  const auto answer = here->admin(address, "ledger", left_until(until));
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
  for (const auto& address : addresses) {
    auto told = ask(address, until);
    if (!told) {
      return failed(verb, told.error());
    }
    add(out, told->at("out"));
    add(in, told->at("in"));
    nodes.push_back(*std::move(told));
  }
  const std::int64_t between =
      out.value("sent", std::int64_t{0}) - in.value("messages", std::int64_t{0});
  if (with.as_json) {
    nlohmann::ordered_json all;
    all["nodes"] = nodes;
    all["sum"]["out"] = out;
    all["sum"]["in"] = in;
    all["difference_between"] = between;
    std::cout << json_text(all) << std::endl;
    return 0;
  }
  table shown({"NODE",
               "SIDE",
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
            << in.value("messages", std::int64_t{0}) << ", difference " << between << std::endl;
  return 0;
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
  add_duration(verb, "--timeout", with->timeout, "How long it may take");
  add_json(verb, with->as_json);
  verb.runs([with] { return ledger(*with); });
}

}  // namespace mailroom::cli
