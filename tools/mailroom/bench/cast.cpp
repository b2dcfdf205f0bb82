#include <mailroom/tools/mailroom/bench/caster.hpp>
#include <mailroom/tools/mailroom/bench/endpoint.hpp>
#include <mailroom/tools/mailroom/bench/load_options.hpp>
#include <mailroom/tools/mailroom/bench/measure.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <memory>

namespace mailroom::bench {
namespace {

struct cast_settings : load_options {
  cast_settings() { what.in_flight = 10'000; }

  std::string topic = bench::topic;
  std::string method = "sink";
  std::string executor = "loop-bound";
};

int cast(const cast_settings& with) {
  const std::string verb = "bench cast";
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
  caster load(to, with.method, with.chosen());
  measure(*here, load, [&] {
    return cpu_times{own_cpu_time(), server_cpu_time(*here, with.connect)};
  });
  here->stop();
  return report(verb, load.measured(), with.as_json);
}

}  // namespace

void add_cast(const cli::command& to) {
  const cli::command verb = to.add_verb(
      "cast",
      "Cast random payloads to a method, and measure what the handler has received, and how "
      "long it took until all of a burst (half of what may be in flight) had been",
      "mailroom bench cast --connect tcp://127.0.0.1:7001 --in-flight 10000 --json");
  auto with = std::make_shared<cast_settings>();
  cli::add_connect(verb, with->connect);
  cli::add_topic(verb, with->topic, "Topic of the endpoint, which counts in `received`");
  cli::add_method(verb, with->method, "Method that takes one argument, bytes");
  with->add_to(verb);
  with->add_rate_to(verb, "Casts a second, sent when due; 0: as many as can be");
  cli::add_executor(verb, "--executor", with->executor, "Where the casting flow runs");
  verb.runs([with] { return cast(*with); });
}

}  // namespace mailroom::bench
