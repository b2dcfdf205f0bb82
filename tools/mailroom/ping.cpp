#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

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
  std::size_t count = 1;
  duration interval = std::chrono::seconds(1);
  duration timeout = std::chrono::seconds(2);
  bool as_json = false;
};

double microseconds(duration took) {
  return std::round(std::chrono::duration<double, std::micro>(took).count() * 10) / 10;
}

int ping(const ping_options& with) {
  const std::string verb = "ping";
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
  add_connect(verb, with->connect);
  add_number(verb, "--count", with->count, "How many", "N", 1, 1'000'000);
  add_duration(verb, "--interval", with->interval, "Pause between two");
  add_duration(verb,
               "--timeout",
               with->timeout,
               "How long to wait for each, and to connect before the first");
  add_json(verb, with->as_json);
  verb.runs([with] { return ping(*with); });
}

}  // namespace mailroom::cli
