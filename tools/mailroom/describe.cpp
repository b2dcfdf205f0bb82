#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/table.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <mailroom/framework/wire/json.hpp>

#include <iostream>
#include <memory>

namespace mailroom::cli {
namespace {

struct describe_options {
  std::string connect;
  duration timeout = std::chrono::seconds(5);
  bool as_json = false;
};

std::string word(const nlohmann::json& of, const char* key) {
  const auto found = of.find(key);
  if (found == of.end() || found->is_null() || *found == "") {
    return "-";
  }
  return found->is_string() ? found->get<std::string>() : json_text(*found);
}

std::string methods_of(const nlohmann::json& topic) {
  std::string listed;
  for (const auto& each : topic.value("methods", nlohmann::json::array())) {
    listed += (listed.empty() ? "" : ", ") + word(each, "name") + " (" + word(each, "style") +
              (each.value("idempotent", false) ? ", idempotent)" : ")");
  }
  return listed;
}

int describe(const describe_options& with) {
  const std::string verb = "describe";
  const time_point until = end_of(with.timeout);
  std::optional<node> here;
  if (const auto up = begin_to_connect(here, with.connect); !up) {
    return not_started(verb, up.error());
  }
  const auto answer = here->admin(with.connect, "describe", left_until(until));
  if (!answer) {
    return failed(verb, answer.error());
  }
  const auto json = wire::json_from_body(answer->view());
  if (!json) {
    return failed(verb, json.error());
  }
  if (with.as_json) {
    std::cout << *json << std::endl;
    return 0;
  }
  const auto all = json_from(*json);
  std::cout << "node " << word(all, "node") << "  executor " << word(all, "executor")
            << "  incarnation " << word(all, "incarnation") << "\n\n";
  table shown({"TOPIC",
               "NAMESPACE",
               "VERSION",
               "EXCHANGE",
               "EXECUTOR",
               "LOOP",
               "INSTANCES",
               "QUEUED",
               "RUNNING",
               "STARTED",
               "ANSWERED",
               "FAILED",
               "EXPIRED",
               "REFUSED",
               "DROPPED",
               "METHODS"});
  for (const auto& each : all.value("topics", nlohmann::json::array())) {
    shown.add({word(each, "topic"),
               word(each, "namespace"),
               word(each, "version"),
               word(each, "exchange"),
               word(each, "executor"),
               word(each, "loop"),
               word(each, "instances"),
               word(each, "queued"),
               word(each, "running"),
               word(each, "started"),
               word(each, "answered"),
               word(each, "failed"),
               word(each, "expired"),
               word(each, "refused"),
               word(each, "dropped"),
               methods_of(each)});
  }
  std::cout << shown.text() << std::endl;
  return 0;
}

}  // namespace

void add_describe(const command& to) {
  const command verb = to.add_verb(
      "describe",
      "What a node serves: topics, versions, methods, on which executor, and what became of the "
      "calls",
      "mailroom describe --connect tcp://127.0.0.1:7001");
  auto with = std::make_shared<describe_options>();
  add_connect(verb, with->connect);
  add_duration(verb, "--timeout", with->timeout, "How long it may take");
  add_json(verb, with->as_json);
  verb.runs([with] { return describe(*with); });
}

}  // namespace mailroom::cli
