#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/in_parallel.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/known_nodes.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/table.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/ledger.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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

struct counting_node {
  std::string name;
  std::string address;
  ledger counted;
  std::uint64_t counted_ms = 0;
};

// A node that began so much before a directory is no older than it.
constexpr std::uint64_t at_once_ms = 2000;

struct accounts {
  std::vector<counting_node> nodes;
  gone_nodes gone;
  std::size_t silent = 0;  // Nodes that are there and did not answer,
  std::string why;
  std::optional<std::uint64_t> kept_ms;  // By directories; none: nobody was asked of those gone.

  ledger sum() const {
    ledger all = gone.earlier.counted;
    for (const auto& each : nodes) {
      all += each.counted;
    }
    for (const auto& each : gone.nodes) {
      all += each.last.counted;
    }
    return all;
  }

  // Nodes that have counted for longer than anybody has listened to those that leave.
  std::size_t older() const {
    const auto is_older = [this](std::uint64_t counted_ms) {
      return kept_ms && counted_ms > *kept_ms + at_once_ms;
    };
    return static_cast<std::size_t>(
        std::count_if(nodes.begin(),
                      nodes.end(),
                      [&](const auto& each) { return is_older(each.counted_ms); }) +
        std::count_if(gone.nodes.begin(), gone.nodes.end(), [&](const auto& each) {
          return is_older(each.last.counted_ms + each.age_ms);
        }));
  }

  std::string lapsed_names() const {
    std::string names;
    for (const auto& each : gone.nodes) {
      if (each.lapsed) {
        names += (names.empty() ? "" : ", ") + each.last.node + " (" + each.last.address + ")";
      }
    }
    return names;
  }

  // Nodes that went without a word.
  std::uint64_t lapsed() const {
    return gone.earlier.lapsed +
           static_cast<std::uint64_t>(std::count_if(
               gone.nodes.begin(), gone.nodes.end(), [](auto& each) { return each.lapsed; }));
  }
};

void explain(const accounts& all, std::optional<std::int64_t> between);

std::int64_t count(const ledger::account& of, const char* name) {
  const auto at = of.find(name);
  return at == of.end() ? 0 : at->second;
}

// Without all of them there is no difference between nodes to speak of.
std::optional<std::int64_t> difference_between(const accounts& all) {
  const ledger sum = all.sum();
  return all.silent == 0 && all.lapsed() == 0 && all.older() == 0
             ? std::optional(count(sum.out, "sent") - count(sum.in, "messages"))
             : std::nullopt;
}

result<counting_node> ask(node& through, const std::string& address, duration timeout) {
  const auto answer = through.admin(address, "ledger", timeout);
  if (!answer) {
    return answer.error();
  }
  const auto read = wire::json_from_body(answer->view());
  if (!read) {
    return read.error();
  }
  const auto told = json_from(*read);
  try {
    return counting_node{
        told.at("node").get<std::string>(),
        address,
        {told.at("out").get<ledger::account>(), told.at("in").get<ledger::account>()},
        told.value("counted_ms", std::uint64_t{0})};
  } catch (const nlohmann::json::exception&) {
    return error(errc::protocol_error, address + ": what it answered is no ledger");
  }
}

void print_json(const accounts& all) {
  nlohmann::ordered_json shown;
  shown["nodes"] = nlohmann::ordered_json::array();
  for (const auto& each : all.nodes) {
    shown["nodes"].push_back({{"node", each.name},
                              {"address", each.address},
                              {"out", each.counted.out},
                              {"in", each.counted.in}});
  }
  for (const char* kind : {"left", "lapsed"}) {
    shown[kind] = nlohmann::ordered_json::array();
  }
  for (const auto& each : all.gone.nodes) {
    nlohmann::ordered_json one{{"node", each.last.node},
                               {"address", each.last.address},
                               {"incarnation", hexadecimal(each.last.incarnation)},
                               {"age_ms", each.age_ms}};
    if (!each.lapsed) {
      one["out"] = each.last.counted.out;
      one["in"] = each.last.counted.in;
    }
    shown[each.lapsed ? "lapsed" : "left"].push_back(std::move(one));
  }
  const auto& earlier = all.gone.earlier;
  shown["earlier"] = {{"left", earlier.left},
                      {"lapsed", earlier.lapsed},
                      {"out", earlier.counted.out},
                      {"in", earlier.counted.in}};
  const ledger sum = all.sum();
  shown["sum"] = {{"out", sum.out}, {"in", sum.in}};
  const auto between = difference_between(all);
  shown["difference_between"] = between ? nlohmann::ordered_json(*between) : nullptr;
  std::cout << json_text(shown) << std::endl;
}

table::row line(const std::string& node, const char* side, const ledger::account& of) {
  table::row cells{node,
                   side,
                   of.contains("sent") ? std::to_string(count(of, "sent")) : "-",
                   std::to_string(count(of, "messages"))};
  for (const char* state : states) {
    cells.push_back(std::to_string(count(of, state)));
  }
  cells.push_back(std::to_string(count(of, "difference")));
  return cells;
}

void print_table(const accounts& all) {
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
  std::size_t rows = 0;
  const auto add = [&](const std::string& name, const ledger& counted) {
    shown.add(line(name, "out", counted.out));
    shown.add(line(name, "in", counted.in));
    ++rows;
  };
  for (const auto& each : all.nodes) {
    add(each.name, each.counted);
  }
  // A service that was restarted often is one to people, and so are all that only called.
  std::map<std::string, std::pair<std::uint64_t, ledger>> left;
  for (const auto& each : all.gone.nodes) {
    if (!each.lapsed) {
      auto& [times, counted] = left[each.last.address.empty() ? "clients" : each.last.node];
      ++times;
      counted += each.last.counted;
    }
  }
  for (const auto& [name, of] : left) {
    add(name + " (left" + (of.first > 1 ? ": " + std::to_string(of.first) : "") + ")", of.second);
  }
  if (all.gone.earlier.left > 0) {
    add("(left earlier: " + std::to_string(all.gone.earlier.left) + ")", all.gone.earlier.counted);
  }
  const ledger sum = all.sum();
  if (rows > 1) {
    add("all", sum);
  }
  const auto between = difference_between(all);
  std::cout << shown.text() << "\n\nsent " << count(sum.out, "sent") << ", received "
            << count(sum.in, "messages") << ", difference "
            << (between ? std::to_string(*between) : "unknown") << std::endl;
  explain(all, between);
}

// Why the difference is not 0, or none.
void explain(const accounts& all, std::optional<std::int64_t> between) {
  if (between && *between < 0) {
    std::cout << "more has come than these nodes have sent: callers that no directory knows "
                 "(--connect), or that were killed"
              << std::endl;
  } else if (between && *between > 0) {
    std::cout << "more was sent than has come to these nodes: connections broke, or not all nodes "
                 "are named"
              << std::endl;
  }
  if (const auto older = all.older(); older > 0) {
    std::cout << older << (older == 1 ? " node has" : " nodes have")
              << " counted since before these directories began: who had left by then is not known"
              << std::endl;
  }
  const std::string lapsed = all.lapsed_names();
  if (const auto gone = all.lapsed(); gone > 0) {
    std::cout << gone << (gone == 1 ? " node" : " nodes")
              << " ended without a last word, so that nobody knows what became of what was sent "
                 "there"
              << (lapsed.empty() ? "" : ": " + mailroom::shown(lapsed)) << std::endl;
  }
}

int show_ledger(const ledger_options& with) {
  const std::string verb = "ledger";
  const time_point until = end_of(with.timeout);
  std::vector<std::string> addresses = with.connect;
  accounts all;
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
    all.gone = find_gone(with.directories, until);
    all.kept_ms = found->oldest_ms;
  }
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, addresses); !up) {
    return not_started(verb, up.error());
  }
  const auto answers = in_parallel(
      addresses, [&](const std::string& each) { return ask(*here, each, with.timeout); });
  for (const auto& told : answers) {
    if (told) {
      all.nodes.push_back(*told);
    } else {
      ++all.silent;
      all.why += (all.why.empty() ? "" : "; ") + told.error().to_string();
    }
  }
  if (all.nodes.empty() && all.silent > 0) {
    return failed(verb, all.why);
  }
  with.as_json ? print_json(all) : print_table(all);
  return all.silent == 0
             ? 0
             : failed(verb,
                      std::to_string(all.silent) + " of " + std::to_string(addresses.size()) +
                          " nodes did not answer: " + all.why);
}

}  // namespace

void add_ledger(const command& to) {
  const command verb = to.add_verb(
      "ledger",
      "What became of every message: those that a node sent (out), and those that came (in). "
      "`difference` is what is accounted for nowhere, and 0 when nothing is under way; between "
      "nodes it is 0 if all that speak to each other are named, and no connection broke. "
      "Directories tell also of nodes that have left, and which went without a word",
      "mailroom ledger --connect tcp://127.0.0.1:7001,tcp://127.0.0.1:7002");
  auto with = std::make_shared<ledger_options>();
  add_connect(verb, with->connect);
  add_directories(verb, with->directories);
  add_duration(verb, "--timeout", with->timeout, "How long to wait for each node");
  add_json(verb, with->as_json);
  verb.runs([with] { return show_ledger(*with); });
}

}  // namespace mailroom::cli
