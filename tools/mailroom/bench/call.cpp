#include <mailroom/tools/mailroom/bench/caller.hpp>
#include <mailroom/tools/mailroom/bench/endpoint.hpp>
#include <mailroom/tools/mailroom/bench/load_options.hpp>
#include <mailroom/tools/mailroom/bench/measure.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <memory>

namespace mailroom::bench {
namespace {

struct call_settings : load_options {
  std::string topic = bench::topic;
  std::string method = "echo";
  std::string executor = "loop-bound";
};

int call(const call_settings& with) {
  const std::string verb = "bench call";
  if (with.cpu) {
    if (auto kept = keep_to_cpu(*with.cpu); !kept) {
      return cli::failed(verb, kept.error());
    }
  }
  std::optional<node> here;
  if (auto up = cli::connect(here, with.connect, cli::end_of(patience), with.executor); !up) {
    return cli::not_started(verb, up.error());
  }
  const client to = client(*here, {.topic = with.topic}).prepare({.timeout = patience});
  // One call by itself says at once if there is nobody, or not this method.
  if (const auto first = to.call<bytes>(with.method, bytes(std::string_view("?"))); !first) {
    return cli::failed(verb, first.error());
  }
  caller load(to, with.method, with.chosen());
  measure(*here, load, [&] {
    return cpu_times{own_cpu_time(), server_cpu_time(*here, with.connect)};
  });
  here->stop();
  return report(verb, load.measured(), with.as_json);
}

}  // namespace

void add_call(const cli::command& to) {
  const cli::command verb = to.add_verb(
      "call",
      "Call an echo method with random payloads, compare every answer, and measure",
      "mailroom bench call --connect tcp://127.0.0.1:7001 --in-flight 1000 --seconds 5 --json");
  auto with = std::make_shared<call_settings>();
  cli::add_connect(verb, with->connect);
  cli::add_topic(verb, with->topic, "Topic of the endpoint");
  cli::add_method(verb, with->method, "Method that gives back its one argument, bytes");
  with->add_to(verb);
  with->add_rate_to(
      verb, "Calls a second, made when due whatever became of the others; 0: as many as can be");
  cli::add_executor(verb, "--executor", with->executor, "Where the calling flows run");
  verb.runs([with] { return call(*with); });
}

}  // namespace mailroom::bench
