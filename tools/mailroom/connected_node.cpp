#include <mailroom/tools/mailroom/connected_node.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::cli {
namespace {

result<void> start(std::optional<node>& into, node_options with) {
  log::set_level(log::level::off);
  into.emplace(std::move(with));
  return into->start();
}

}  // namespace

time_point end_of(duration timeout) {
  // Longer ones do not fit behind the present.
  constexpr duration longest = std::chrono::hours(24 * 365);
  return clock::now() + std::min(timeout, longest);
}

duration left_until(time_point end) {
  return std::max<duration>(end - clock::now(), duration::zero());
}

result<void> connect(std::optional<node>& into,
                     const std::string& address,
                     time_point until,
                     const std::string& executor) {
  const duration within = left_until(until);
  auto started =
      start(into, {.connect = {address}, .connect_within = within, .executor = executor});
  if (started && left_until(until) == duration::zero()) {
    return error(errc::expired,
                 address + ": no connection within the timeout, waited for " +
                     format_duration(std::chrono::ceil<std::chrono::milliseconds>(within)));
  }
  return started;
}

result<void> find_through(std::optional<node>& into,
                          const std::vector<std::string>& directories,
                          time_point until) {
  return start(into, {.connect_within = left_until(until), .directory = directories});
}

result<void> begin_to_connect(std::optional<node>& into, const std::string& address) {
  return begin_to_connect(into, std::vector{address});
}

result<void> begin_to_connect(std::optional<node>& into, std::vector<std::string> addresses) {
  return start(into, {.connect = std::move(addresses), .connect_within = duration::zero()});
}

}  // namespace mailroom::cli
