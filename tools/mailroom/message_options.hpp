#pragma once

#include <mailroom/tools/mailroom/options.hpp>

#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/wire/json.hpp>

#include <optional>
#include <string>

namespace mailroom::cli {

/// What `call` and `cast` have in common: where to, what, and with which arguments.
struct message_options {
  std::string connect;
  target to;
  duration timeout = std::chrono::seconds(5);
  unsigned priority = 0;
  std::string method;
  std::string arguments = "[]";
  bool as_json = false;

  void add_to(CLI::App& verb) {
    add_connect(verb, connect);
    add_topic(verb, to.topic, "Topic of the endpoint")->required();
    verb.add_option("--namespace", to.name_space, "Namespace of the endpoint")->type_name("NAME");
    verb.add_option("--version", to.version, "Version wanted, as 1.2")->type_name("VERSION");
    verb.add_option("--server", to.server, "Only the node of this name")->type_name("NAME");
    verb.add_option("--exchange", to.exchange, "Exchange of the topic")
        ->capture_default_str()
        ->type_name("NAME");
    add_duration(verb, "--timeout", timeout, "How long it may take");
    verb.add_option("--priority", priority, "From 0 to 7, the most urgent, for endpoints that care")
        ->check(whole_number(0, 7))
        ->capture_default_str()
        ->type_name("N");
    verb.add_option("METHOD", method, "Method to run")
        ->required()
        ->check([](const std::string& name) {
          return name.empty() ? std::string("a method has a name") : std::string();
        });
    verb.add_option("ARGUMENTS", arguments, "JSON array")->capture_default_str();
    add_json(verb, as_json);
  }
};

}  // namespace mailroom::cli
