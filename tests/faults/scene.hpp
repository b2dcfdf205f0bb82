#pragma once

#include <mailroom/tests/conformance/outcome.hpp>
#include <mailroom/tests/conformance/probe.hpp>
#include <mailroom/tests/support/eventually.hpp>
#include <mailroom/tests/support/process.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace mailroom::tests {

/// A server of probes in a process of its own, started.
class other_process {
 public:
  struct options {
    std::string executor = "loop-bound";
    std::string listen = "tcp://127.0.0.1:0";
    std::uint32_t in_flight = 65'536;
    std::size_t backlog = std::size_t{64} << 20U;
    std::chrono::milliseconds heartbeat{1000};
  };

  other_process() : other_process(options{}) {}
  explicit other_process(const options& with)
      : running({MAILROOM_CONFORMANCE_SERVER,
                 "serve",
                 with.executor,
                 "server",
                 std::to_string(32U << 20U),
                 with.listen,
                 std::to_string(with.in_flight),
                 std::to_string(with.backlog),
                 std::to_string(with.heartbeat.count())}) {
    address = obey("start");
    BOOST_REQUIRE_MESSAGE(address.starts_with("tcp://"), address << running.errors());
  }

  std::string obey(const std::string& line) {
    running.write_line(line);
    return running.read_line(std::chrono::minutes(2))
        .value_or("nothing in time: " + running.errors());
  }
  long count(const std::string& what) { return std::stol(obey("count " + what)); }

  process running;
  std::string address;
};

/// A node that calls `address`, started.
class caller_node {
 public:
  explicit caller_node(const std::string& address, std::uint32_t in_flight = 65'536)
      : here({.name = "caller", .connect = {address}, .in_flight_per_peer = in_flight}) {
    log::set_level(log::level::error);
    here.start().value();
  }
  ~caller_node() { here.stop(std::chrono::seconds(1)); }
  caller_node(const caller_node&) = delete;
  caller_node& operator=(const caller_node&) = delete;

  client of(const std::string& topic) { return {here, {.topic = topic}}; }
  client probes() { return of("probe"); }

  node here;
};

}  // namespace mailroom::tests
