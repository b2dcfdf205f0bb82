#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_arguments.hpp>
#include <mailroom/tools/mailroom/message_options.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <cstdint>
#include <iostream>
#include <memory>

namespace mailroom::cli {
namespace {

struct cast_options : message_options {
  bool fanout = false;
};

int cast(const cast_options& with) {
  const std::string verb = "cast";
  const auto arguments = read_arguments(with.arguments);
  if (!arguments) {
    return misused(verb, std::string(arguments.error().message()));
  }
  if (const auto good = rpc::check_version(with.to.version); !good) {
    return misused(verb, "--version: " + std::string(good.error().message()));
  }
  const time_point until = end_of(with.timeout);
  std::optional<node> here;
  if (const auto up = with.begin(here, until); !up) {
    return not_started(verb, up.error());
  }
  const client to = client(*here, with.to)
                        .prepare({.timeout = left_until(until),
                                  .fanout = with.fanout,
                                  .wait_for_ready = with.wait_for_ready,
                                  .priority = static_cast<std::uint8_t>(with.priority)});
  const auto sent = to.cast(with.method, wire::encoded_arguments{arguments->bytes()});
  if (!sent) {
    return failed(verb, sent.error());
  }
  if (with.fanout && !with.connect.empty()) {
    // It went to all that are connected; the one that was named is not among them.
    if (const auto reached = here->ping(with.connect, left_until(until)); !reached) {
      return failed(verb, reached.error());
    }
  }
  // What a connection has accepted leaves before the node ends.
  if (!here->stop(left_until(until))) {
    return failed(verb, error(errc::expired, "the message did not leave within the timeout"));
  }
  if (with.as_json) {
    std::cout << R"({"accepted":true})" << std::endl;
  }
  return 0;
}

}  // namespace

void add_cast(const command& to) {
  const command verb =
      to.add_verb("cast",
                  "Tell an endpoint something; nothing is answered",
                  "mailroom cast --connect tcp://127.0.0.1:7001 --topic echo sink '[\"hello\"]'");
  auto with = std::make_shared<cast_options>();
  with->add_to(verb);
  verb.add_flag("--fanout", with->fanout, "To all servers of the topic");
  verb.runs([with] { return cast(*with); });
}

}  // namespace mailroom::cli
