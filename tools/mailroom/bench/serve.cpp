#include <mailroom/services/host/node.hpp>
#include <mailroom/tools/mailroom/bench/endpoint.hpp>
#include <mailroom/tools/mailroom/bench/process.hpp>
#include <mailroom/tools/mailroom/bench/ready.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <memory>
#include <optional>

namespace mailroom::bench {
namespace {

struct serve_settings {
  node_options node = {.listen = "tcp://127.0.0.1:0"};
  std::optional<unsigned> cpu;
  bool as_json = false;
};

int serve(const serve_settings& with) {
  const std::string verb = "bench serve";
  hold_stop_signals();
  if (with.cpu) {
    if (auto kept = keep_to_cpu(*with.cpu); !kept) {
      return cli::failed(verb, kept.error());
    }
  }
  node here(with.node);
  if (auto served = here.serve({.topic = topic}, echo_endpoint::describe()); !served) {
    return cli::failed(verb, served.error());
  }
  if (auto up = here.start(); !up) {
    return cli::not_started(verb, up.error());
  }
  if (tell_ready(here.address(), with.as_json)) {
    wait_for_stop_signal();
  }
  return here.stop() ? 0 : cli::failed(verb, "handlers still ran after 5s, they were cut off");
}

}  // namespace

void add_serve(const cli::command& to) {
  const cli::command verb = to.add_verb(
      "serve",
      "Serve topic `echo` (echo, echo_coroutine, echo_suspending, sink, received) until SIGTERM",
      "mailroom bench serve --listen tcp://127.0.0.1:7001 --executor work-stealing");
  auto with = std::make_shared<serve_settings>();
  cli::add_listen(verb, with->node.listen);
  cli::add_executor(verb, "--executor", with->node.executor, "Where handlers run");
  cli::add_workers(verb, with->node.workers);
  cli::add_cpu(verb, with->cpu);
  cli::add_json(verb, with->as_json);
  verb.runs([with] { return serve(*with); });
}

}  // namespace mailroom::bench
