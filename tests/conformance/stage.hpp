#pragma once

#include <mailroom/tests/conformance/host.hpp>
#include <mailroom/tests/conformance/outcome.hpp>
#include <mailroom/tests/support/eventually.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::tests {

/// One executor, and whether the server is another process.
struct combination {
  std::string executor;
  bool across = false;
};

/// A running server of probes, wherever it is.
class probe_server {
 public:
  virtual ~probe_server() = default;
  /// See `probe_host`.
  virtual std::string obey(const std::string& line) = 0;

  void start() { address = obey("start"); }
  bool stop(std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    return obey("stop " + std::to_string(limit.count())) == "1";
  }
  long count(const std::string& what) { return std::stol(obey("count " + what)); }

  std::string address;
};

/// What a case plays on: a started server and a caller that is connected to it, both on the
/// executor under test.
class stage {
 public:
  struct options {
    std::size_t max_body = std::size_t{32} << 20U;
    std::size_t servers = 1;
  };

  explicit stage(const combination& of) : stage(of, options{}) {}
  stage(const combination& of, const options& with);
  ~stage();
  stage(const stage&) = delete;
  stage& operator=(const stage&) = delete;

  client probes() { return {*caller, {.topic = "probe", .version = "1.4"}}; }
  client alone() { return {*caller, {.topic = "alone"}}; }
  probe_server& server(std::size_t index = 0) { return *servers.at(index); }

  /// A new caller in place of the old one, connected to all servers.
  void call_anew();

  /// Runs a coroutine on the caller's executor to its end; what it throws is thrown on.
  void run(std::function<task<void>(context&)> body);

  /// Whether a handler may have run there on this executor.
  bool is_handler_thread(const std::string& name) const;
  void check_thread(const said& answer) const;
  void check_threads(const std::vector<std::string>& names) const;
  /// For handlers that cannot say it themselves: so many ran (`board::ran`), all where they may.
  void check_ran(const std::string& what, long times, std::size_t server = 0);

  const combination playing;
  std::vector<std::unique_ptr<probe_server>> servers;
  std::unique_ptr<node> caller;
};

/// Another server of the same kind, started.
std::unique_ptr<probe_server> start_server(const combination& of,
                                           const std::string& name,
                                           std::size_t max_body);

}  // namespace mailroom::tests
