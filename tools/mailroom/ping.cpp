#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/in_parallel.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/known_nodes.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/table.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/wire/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

namespace mailroom::cli {
namespace {

struct ping_options {
  std::string connect;
  std::vector<std::string> directories;
  std::size_t count = 1;
  duration interval = std::chrono::seconds(1);
  duration timeout = std::chrono::seconds(2);
  bool all = false;
  bool as_json = false;
};

double microseconds(duration took) {
  return std::round(std::chrono::duration<double, std::micro>(took).count() * 10) / 10;
}

struct somebody {
  std::string address;
  std::string node;
};

result<std::vector<somebody>> nodes_in(const std::vector<std::string>& directories,
                                       time_point until) {
  const auto found = find_nodes(directories, until);
  if (!found) {
    return found.error();
  }
  complain_of_silent("ping", *found);
  std::vector<somebody> all;
  for (const auto& each : found->nodes) {
    all.push_back({each.what.address, each.what.node});
  }
  return all;
}

// The node at the address, and those that it calls.
result<std::vector<somebody>> nodes_known_to(const std::string& address, time_point until) {
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, address); !up) {
    return up.error();
  }
  const auto answer = here->admin(address, "peers", left_until(until));
  if (!answer) {
    return answer.error();
  }
  const auto text = wire::json_from_body(answer->view());
  if (!text) {
    return text.error();
  }
  const auto told = json_from(*text);
  std::vector<somebody> all{{address, told.value("node", "")}};
  for (const auto& each : told.value("calls", nlohmann::json::array())) {
    all.push_back({each.value("address", ""), each.value("node", "")});
  }
  return all;
}

int ping_all(const ping_options& with) {
  const std::string verb = "ping";
  const time_point until = end_of(with.timeout);
  const auto known = with.connect.empty() ? nodes_in(with.directories, until)
                                          : nodes_known_to(with.connect, until);
  if (!known) {
    return known.error() == errc::invalid_value ? not_started(verb, known.error())
                                                : failed(verb, known.error());
  }
  std::vector<std::string> addresses;
  for (const auto& each : *known) {
    addresses.push_back(each.address);
  }
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, addresses); !up) {
    return not_started(verb, up.error());
  }
  std::size_t silent = 0;
  table shown({"NODE", "ADDRESS", "US", "WHY_NOT"});
  auto out = nlohmann::ordered_json::array();
  const auto trips = in_parallel(
      *known, [&](const somebody& each) { return here->ping(each.address, with.timeout); });
  for (std::size_t i = 0; i < known->size(); ++i) {
    const somebody& each = (*known)[i];
    const auto& trip = trips[i];
    silent += trip ? 0U : 1U;
    nlohmann::ordered_json row;
    row["node"] = each.node;
    row["address"] = each.address;
    row["us"] = trip ? nlohmann::ordered_json(microseconds(*trip)) : nlohmann::ordered_json();
    row["why_not"] = trip ? std::string() : trip.error().to_string();
    shown.add({each.node.empty() ? "-" : each.node,
               each.address,
               trip ? json_text(row["us"]) : "-",
               trip ? "-" : row["why_not"].get<std::string>()});
    out.push_back(std::move(row));
  }
  std::cout << (with.as_json ? json_text(out) : shown.text()) << std::endl;
  return silent == 0 ? 0
                     : failed(verb,
                              std::to_string(silent) + " of " + std::to_string(known->size()) +
                                  " nodes did not answer");
}

int ping(const ping_options& with) {
  const std::string verb = "ping";
  if (with.connect.empty() && (!with.all || directories_or_default(with.directories).empty())) {
    return misused(verb, "--connect is required, or --all and --directory");
  }
  if (with.all) {
    if (with.count != ping_options().count || with.interval != ping_options().interval) {
      return misused(verb, "--all asks each node once: leave --count and --interval out");
    }
    return ping_all(with);
  }
  const time_point until = end_of(with.timeout);
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, with.connect); !up) {
    return not_started(verb, up.error());
  }
  std::vector<duration> trips;
  std::optional<error> last;
  for (std::size_t i = 0; i < with.count; ++i) {
    if (i > 0) {
      std::this_thread::sleep_for(with.interval);
    }
    const auto trip = here->ping(with.connect, i == 0 ? left_until(until) : with.timeout);
    if (!trip) {
      last = trip.error();
    } else {
      trips.push_back(*trip);
    }
    if (trip && !with.as_json) {
      std::cout << with.connect << ": " << json_text(nlohmann::json(microseconds(*trip))) << " us"
                << std::endl;
    }
  }
  if (trips.empty()) {
    return failed(verb, *last);
  }
  if (with.as_json) {
    std::sort(trips.begin(), trips.end());
    nlohmann::ordered_json out;
    out["sent"] = with.count;
    out["answered"] = trips.size();
    out["min_us"] = microseconds(trips.front());
    out["p50_us"] = microseconds(trips[trips.size() / 2]);
    out["max_us"] = microseconds(trips.back());
    std::cout << json_text(out) << std::endl;
  } else if (last) {
    std::cout << trips.size() << " of " << with.count << " answered" << std::endl;
  }
  return 0;
}

}  // namespace

void add_ping(const command& to) {
  const command verb =
      to.add_verb("ping",
                  "Round trips over a node's control plane, past its executors",
                  "mailroom ping --connect tcp://127.0.0.1:7001 --count 3 --interval 200ms");
  auto with = std::make_shared<ping_options>();
  add_connect_unless(verb, with->connect, "--all and --directory");
  add_directories(verb, with->directories);
  add_number(verb, "--count", with->count, "How many", "N", 1, 1'000'000);
  add_duration(verb, "--interval", with->interval, "Pause between two");
  add_duration(verb,
               "--timeout",
               with->timeout,
               "How long to wait for each, and to connect before the first");
  verb.add_flag(
      "--all",
      with->all,
      "The node and all that it calls, once each; without --connect all that directories know");
  add_json(verb, with->as_json);
  verb.runs([with] { return ping(*with); });
}

}  // namespace mailroom::cli
