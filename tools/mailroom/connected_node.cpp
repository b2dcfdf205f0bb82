#include <mailroom/tools/mailroom/command.hpp>
#include <mailroom/tools/mailroom/connected_node.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <utility>

namespace mailroom::cli {

time_point end_of(duration timeout) {
  // Longer ones do not fit behind the present.
  constexpr duration longest = std::chrono::hours(24 * 365);
  return clock::now() + std::min(timeout, longest);
}

duration left_until(time_point end) {
  return std::max<duration>(end - clock::now(), duration::zero());
}

result<void> connect(const std::string& verb,
                     std::optional<node>& into,
                     const std::string& address,
                     time_point until,
                     const std::string& executor) {
  log::set_level(log::level::off);
  node_options with;
  with.connect = {address};
  with.executor = executor;
  into.emplace(std::move(with));
  const time_point begun = clock::now();
  auto up = std::async(std::launch::async, [&into]() -> result<void> { return into->start(); });
  if (up.wait_until(until) != std::future_status::ready) {
    using std::chrono::milliseconds;
    const auto waited = std::chrono::ceil<milliseconds>(std::max(until, begun) - begun);
    // Not through destructors, which would wait for the thread.
    std::_Exit(failed(verb,
                      error(errc::expired,
                            address + ": no connection within the timeout, waited for " +
                                format_duration(waited))));
  }
  return up.get();
}

std::optional<error> not_reached(node& here, const std::string& address) {
  // A call that nobody can take is refused with what became of each address.
  const std::string nobody = "?";
  const client to = client(here, {.topic = nobody}).prepare({.timeout = 100ms});
  const auto answer = to.call<void>(nobody);
  if (answer) {
    return std::nullopt;
  }
  std::string all(answer.error().message());
  const std::string before = "; " + address + ": ";
  const auto at = all.find(before);
  if (at == std::string::npos) {
    return std::nullopt;
  }
  std::string reason = all.substr(at + before.size());
  const std::string code = std::string(to_string(errc::unreachable)) + ": ";
  if (reason.starts_with(code)) {
    reason.erase(0, code.size());
  }
  return error(errc::unreachable,
               reason.find(address) == std::string::npos ? address + ": " + reason : reason);
}

error with_reason(node& here, const std::string& address, const error& why) {
  return why == errc::unreachable ? not_reached(here, address).value_or(why) : why;
}

}  // namespace mailroom::cli
