#include <mailroom/tools/mailroom/bench/measure.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>

#include <mailroom/framework/wire/json.hpp>

#include <cstdint>

namespace mailroom::bench {

std::optional<duration> server_cpu_time(node& here, const std::string& address) {
  const auto stats = here.admin(address, "stats");
  if (!stats) {
    return std::nullopt;
  }
  const auto json = wire::json_from_body(stats->view());
  if (!json) {
    return std::nullopt;
  }
  const auto parsed = cli::json_from(*json);
  const auto found = parsed.find("cpu_us");
  return found == parsed.end() || !found->is_number()
             ? std::nullopt
             : std::optional<duration>(std::chrono::microseconds(found->get<std::int64_t>()));
}

}  // namespace mailroom::bench
