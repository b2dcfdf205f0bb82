#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

namespace mailroom::cli {

void add_bench(const command& to) {
  const command group =
      to.add_group("bench",
                   "Measure: servers, load generators, and the bare libzmq baseline",
                   "mailroom bench local --executor work-stealing --in-flight 1000");
  bench::add_serve(group);
  bench::add_call(group);
  bench::add_cast(group);
  bench::add_local(group);
  bench::add_compare(group);
  bench::add_raw_serve(group);
  bench::add_raw_call(group);
  bench::add_raw_cast(group);
}

}  // namespace mailroom::cli
