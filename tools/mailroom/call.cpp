#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_arguments.hpp>
#include <mailroom/tools/mailroom/message_options.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <cstdint>
#include <iostream>
#include <memory>

namespace mailroom::cli {
namespace {

/// Whoever considers calling again wants to know; other failures say so by their code.
std::string trace_of(const error& why) {
  if (why != errc::lost && why != errc::expired) {
    return {};
  }
  switch (why.execution()) {
    case execution::not_run: return " (the call has not run)";
    case execution::may_have_run: return " (the call may have run)";
    case execution::ran_and_failed: return " (the call has run)";
  }
  return {};
}

int call(const message_options& with) {
  const std::string verb = "call";
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
                                  .wait_for_ready = with.wait_for_ready,
                                  .priority = static_cast<std::uint8_t>(with.priority)});
  const auto answer =
      to.call<wire::encoded>(with.method, wire::encoded_arguments{arguments->bytes()});
  if (!answer) {
    return failed(verb, answer.error().to_string() + trace_of(answer.error()));
  }
  const auto shown = wire::json_from_body(answer->value.view());
  if (!shown) {
    return failed(verb, shown.error());
  }
  std::cout << *shown << std::endl;
  return 0;
}

}  // namespace

void add_call(const command& to) {
  const command verb =
      to.add_verb("call",
                  "Call a method and print its result as JSON",
                  "mailroom call --connect tcp://127.0.0.1:7001 --topic echo echo '[\"hello\"]'");
  auto with = std::make_shared<message_options>();
  with->add_to(verb);
  verb.runs([with] { return call(*with); });
}

}  // namespace mailroom::cli
