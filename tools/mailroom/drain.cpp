#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/wire/body.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

namespace mailroom::cli {
namespace {

constexpr duration look_every = std::chrono::milliseconds(10);

struct drain_options {
  std::string connect;
  duration timeout = std::chrono::seconds(30);
  bool as_json = false;
};

int drain(const drain_options& with) {
  const std::string verb = "drain";
  const time_point begun = clock::now();
  const time_point until = end_of(with.timeout);
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, with.connect); !up) {
    return not_started(verb, up.error());
  }
  const auto answer = here->admin(with.connect, "drain", left_until(until));
  if (!answer) {
    return failed(verb, answer.error());
  }
  const auto name = wire::unpack<std::string>(answer->view());
  if (!name) {
    return failed(verb, name.error());
  }
  // It has said good-bye when it can be asked no more.
  while (here->ping(with.connect, left_until(until))) {
    if (clock::now() >= until) {
      return failed(
          verb,
          error(errc::expired,
                with.connect + ": asked to drain, but it is not done within the timeout"));
    }
    std::this_thread::sleep_for(std::min(look_every, left_until(until)));
  }
  const auto took = std::chrono::ceil<std::chrono::milliseconds>(clock::now() - begun);
  if (with.as_json) {
    nlohmann::ordered_json out;
    out["node"] = *name;
    out["address"] = with.connect;
    out["took_ms"] = took.count();
    std::cout << json_text(out) << std::endl;
  } else {
    std::cout << "node " << *name << " drained in " << took.count() << " ms" << std::endl;
  }
  return 0;
}

}  // namespace

void add_drain(const command& to) {
  const command verb = to.add_verb(
      "drain",
      "Has a node end as SIGTERM does: no new calls, what runs is answered, then it goes",
      "mailroom drain --connect tcp://127.0.0.1:7001");
  auto with = std::make_shared<drain_options>();
  add_connect(verb, with->connect);
  add_duration(verb, "--timeout", with->timeout, "How long it may take until the node has gone");
  add_json(verb, with->as_json);
  verb.runs([with] { return drain(*with); });
}

}  // namespace mailroom::cli
