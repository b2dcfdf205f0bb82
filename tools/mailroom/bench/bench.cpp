#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

namespace mailroom::cli {

void add_bench(CLI::App& to, job& chosen) {
  CLI::App* verb =
      to.add_subcommand("bench", "Measure: servers, load generators, and the bare libzmq baseline");
  verb->require_subcommand(1);
  verb->footer("Example:\n  mailroom bench local --executor work-stealing --in-flight 1000");
  bench::add_serve(*verb, chosen);
  bench::add_call(*verb, chosen);
  bench::add_cast(*verb, chosen);
  bench::add_local(*verb, chosen);
  bench::add_compare(*verb, chosen);
  bench::add_raw_serve(*verb, chosen);
  bench::add_raw_call(*verb, chosen);
  bench::add_raw_cast(*verb, chosen);
}

}  // namespace mailroom::cli
