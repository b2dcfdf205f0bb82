#pragma once

#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/known_nodes.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mailroom::cli {

/// What `call` and `cast` have in common: where to, what, and with which arguments.
struct message_options {
  std::string connect;
  std::vector<std::string> directories;
  bool wait_for_ready = false;
  target to;
  duration timeout = std::chrono::seconds(5);
  std::size_t priority = 0;
  std::string method;
  std::string arguments = "[]";
  bool as_json = false;

  void add_to(const command& verb) {
    add_connect_unless(verb, connect, "--directory");
    add_directories(verb, directories);
    verb.add_flag(
        "--wait-for-ready", wait_for_ready, "Wait for a server instead of failing at once");
    add_topic(verb, to.topic, "Topic of the endpoint").required();
    verb.add_text("--namespace", to.name_space, "Namespace of the endpoint", "NAME");
    verb.add_text("--version", to.version, "Version wanted, as 1.2", "VERSION");
    verb.add_text("--server", to.server, "Only the node of this name", "NAME");
    verb.add_text("--exchange", to.exchange, "Exchange of the topic", "NAME");
    add_duration(verb, "--timeout", timeout, "How long it may take");
    add_number(verb,
               "--priority",
               priority,
               "From 0 to 7, the most urgent, for endpoints that care",
               "N",
               0,
               7);
    verb.add_text("METHOD", method, "Method to run", "TEXT")
        .required()
        .check([](const std::string& name) -> result<void> {
          return name.empty() ? error(errc::invalid_value, "a method has a name") : result<void>();
        });
    verb.add_text("ARGUMENTS", arguments, "JSON array", "TEXT");
    add_json(verb, as_json);
  }

  /// A node that calls the one to connect to, or those that directories know.
  result<void> begin(std::optional<node>& into, time_point until) const {
    if (!connect.empty()) {
      return cli::connect(into, connect, until);
    }
    const auto named = directories_or_default(directories);
    return named.empty() ? error(errc::invalid_value, "--connect is required, or --directory")
                         : find_through(into, named, until);
  }
};

}  // namespace mailroom::cli
