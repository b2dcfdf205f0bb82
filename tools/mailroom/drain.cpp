#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/known_nodes.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/wire/body.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::cli {
namespace {

constexpr duration look_every = std::chrono::milliseconds(10);

struct drain_options {
  std::string node;
  std::vector<std::string> directories;
  std::string connect;
  duration timeout = std::chrono::seconds(30);
  bool as_json = false;
};

int drain(const drain_options& with) {
  const std::string verb = "drain";
  if (with.node.empty() == with.connect.empty()) {
    return misused(verb,
                   with.node.empty() ? "name a node: NODE, which a --directory knows, or --connect"
                                     : "either NODE or --connect, not both");
  }
  const time_point begun = clock::now();
  const time_point until = end_of(with.timeout);
  const auto address = with.node.empty() ? result<std::string>(with.connect)
                                         : address_of_node(with.node, with.directories, until);
  if (!address) {
    return not_started(verb, address.error());
  }
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, *address); !up) {
    return not_started(verb, up.error());
  }
  // It answers when its drain has ended, before it closes its links.
  const auto answer = here->admin(*address, "drain", left_until(until));
  if (!answer && answer.error() != errc::expired && answer.error() != errc::lost) {
    return failed(verb, answer.error());
  }
  // It has said good-bye when it can be asked no more. One that does not answer is still there.
  const auto is_there = [&] {
    const auto asked = here->ping(*address, left_until(until));
    return asked || asked.error() == errc::expired;
  };
  while (is_there()) {
    if (clock::now() >= until) {
      return failed(verb,
                    error(errc::expired,
                          *address + ": asked to drain, but it is not done within the timeout"));
    }
    std::this_thread::sleep_for(std::min(look_every, left_until(until)));
  }
  if (!answer) {
    return failed(verb,
                  error(errc::lost,
                        *address + " is gone, but has not said that it had drained: " +
                            std::string(answer.error().message())));
  }
  const auto outcome = wire::unpack<std::tuple<std::string, bool, std::string>>(answer->view());
  if (!outcome) {
    return failed(verb, outcome.error());
  }
  const auto& [name, drained, left] = *outcome;
  if (!drained) {
    return failed(verb,
                  error(errc::expired,
                        "node " + name + " has ended, but its own limit (node.drain) passed: " +
                            left + " was cancelled"));
  }
  const auto took = std::chrono::ceil<std::chrono::milliseconds>(clock::now() - begun);
  if (with.as_json) {
    nlohmann::ordered_json out;
    out["node"] = name;
    out["address"] = *address;
    out["took_ms"] = took.count();
    std::cout << json_text(out) << std::endl;
  } else {
    std::cout << "node " << name << " drained in " << took.count() << " ms" << std::endl;
  }
  return 0;
}

}  // namespace

void add_drain(const command& to) {
  const command verb = to.add_verb(
      "drain",
      "Has a node end as SIGTERM does: no new calls, what runs is answered, then it goes. Fails if "
      "its own limit (node.drain) passed before, and says what was cancelled",
      "mailroom drain --directory tcp://127.0.0.1:7000 echo-2");
  auto with = std::make_shared<drain_options>();
  verb.add_text("NODE", with->node, "Name of a node that a directory knows; or --connect", "NAME");
  add_directories(verb, with->directories);
  add_connect_unless(verb, with->connect, "NODE");
  add_duration(verb, "--timeout", with->timeout, "How long it may take until the node has gone");
  add_json(verb, with->as_json);
  verb.runs([with] { return drain(*with); });
}

}  // namespace mailroom::cli
