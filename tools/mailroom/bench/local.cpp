#include <mailroom/tools/mailroom/bench/caller.hpp>
#include <mailroom/tools/mailroom/bench/endpoint.hpp>
#include <mailroom/tools/mailroom/bench/load_options.hpp>
#include <mailroom/tools/mailroom/bench/measure.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <memory>
#include <set>

namespace mailroom::bench {
namespace {

struct local_settings : load_options {
  node_options node = {.listen = "local://bench"};
  std::string method = "echo";
  std::string client_executor = "loop-bound";
};

int local(const local_settings& with) {
  const std::string verb = "bench local";
  if (with.cpu) {
    if (auto kept = keep_to_cpu(*with.cpu); !kept) {
      return cli::failed(verb, kept.error());
    }
  }
  node server(with.node);
  if (auto served = server.serve({.topic = topic}, echo_endpoint::describe()); !served) {
    return cli::failed(verb, served.error());
  }
  // Both ends share the process: they are told apart by their threads.
  const std::set<int> before = own_threads();
  if (auto up = server.start(); !up) {
    return cli::not_started(verb, up.error());
  }
  std::set<int> serving;
  for (const int each : own_threads()) {
    if (before.count(each) == 0) {
      serving.insert(each);
    }
  }
  std::optional<node> here;
  if (auto up = cli::connect(here, server.address(), cli::end_of(patience), with.client_executor);
      !up) {
    return cli::not_started(verb, up.error());
  }
  const client to = client(*here, {.topic = topic}).prepare({.timeout = patience});
  if (const auto first = to.call<bytes>(with.method, bytes(std::string_view("?"))); !first) {
    return cli::failed(verb, first.error());
  }
  caller load(to, with.method, with.chosen());
  measure(*here, load, [&] {
    const duration server_cpu = cpu_time_of(serving);
    return cpu_times{own_cpu_time() - server_cpu, server_cpu};
  });
  here->stop();
  server.stop();
  return report(verb, load.measured(), with.as_json);
}

}  // namespace

void add_local(const cli::command& to) {
  const cli::command verb =
      to.add_verb("local",
                  "The same as `bench serve` and `bench call`, inside one process over local",
                  "mailroom bench local --executor cooperative --in-flight 1000");
  auto with = std::make_shared<local_settings>();
  cli::add_executor(verb, "--executor", with->node.executor, "Where handlers run");
  cli::add_workers(verb, with->node.workers);
  cli::add_executor(
      verb, "--client-executor", with->client_executor, "Where the calling flows run");
  cli::add_method(verb, with->method, "echo, echo_coroutine or echo_suspending");
  with->add_to(verb);
  with->add_rate_to(verb, "Calls a second, made when due; 0: as many as can be");
  verb.runs([with] { return local(*with); });
}

}  // namespace mailroom::bench
