// The other process of the suites here and in tests/faults. `serve EXECUTOR NAME MAX_BODY [LISTEN
// [IN_FLIGHT [BACKLOG [HEARTBEAT_MS]]]]` hosts the probes and obeys lines; `hang EXECUTOR ADDRESS
// CALLS` makes calls that stay open, says so, and waits to be killed.

#include <mailroom/tests/conformance/host.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mailroom::tests {
namespace {

int serve(const std::vector<std::string>& words) {
  node_options with{.name = words.at(2),
                    .listen = words.size() > 4 ? words[4] : "tcp://127.0.0.1:0",
                    .executor = words.at(1),
                    .loops = loops_for(words.at(1)),
                    .workers = 2,
                    .max_body = std::stoul(words.at(3))};
  if (words.size() > 5) {
    with.in_flight_per_peer = static_cast<std::uint32_t>(std::stoul(words[5]));
  }
  if (words.size() > 6) {
    with.backlog_per_peer = std::stoul(words[6]);
  }
  // Calm by default: a machine that is busy with others is no fault of a peer.
  with.heartbeat = std::chrono::milliseconds(words.size() > 7 ? std::stol(words[7]) : 10'000);
  probe_host host(std::move(with));
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << host.obey(line) << std::endl;
  }
  return 0;
}

int hang(const std::vector<std::string>& words) {
  node here({.name = "hanging",
             .connect = {words.at(2)},
             .executor = words.at(1),
             .loops = loops_for(words.at(1))});
  here.start().value();
  const client probes(here, {.topic = "probe"});
  std::vector<std::future<result<said>>> out;
  for (long i = std::stol(words.at(3)); i > 0; --i) {
    out.push_back(probes.future_call<said>("wait_at_gate"));
  }
  std::cout << "out" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  return 0;
}

}  // namespace
}  // namespace mailroom::tests

int main(int argc, char** argv) {
  using namespace mailroom::tests;
  mailroom::log::set_level(mailroom::log::level::warn);
  const std::vector<std::string> words(argv + 1, argv + argc);
  return words.at(0) == "serve" ? serve(words) : hang(words);
}
