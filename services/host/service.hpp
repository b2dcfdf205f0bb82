#pragma once

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/base/config.hpp>

#include <functional>
#include <span>

namespace mailroom {

/// What a program adds to `run_service`.
struct service_options {
  std::string_view description = {};  ///< One line for `--help`.
  std::string_view example = "--listen tcp://127.0.0.1:7001 --executor work-stealing";  ///< Flags.
  std::vector<option> settings = {};  ///< Settings of its own, beside the node's.
  /// Others are told by MAILROOM_DIRECTORY where it is, and it does not register with itself.
  bool is_directory = false;
  std::function<void(const config& settings)> configured =
      {};  ///< Sees the settings before the node is made.
  std::function<void(node&)> started =
      {};  ///< Runs when the node serves, on the main thread; must return.
  std::function<void(node&)> stopping = {};  ///< Runs on the main thread before the drain.
};

/// The main function of a service: reads configuration (a TOML file given by --config < MAILROOM_*
/// environment < flags; --help, --print-config), makes the node, lets `set_up` serve endpoints,
/// starts, prints `ready ADDRESS` on stdout, and drains on SIGTERM or SIGINT. To be called on the
/// main thread, before any other exists: it blocks until the end, and keeps SIGTERM, SIGINT and
/// SIGHUP from all threads that come later; SIGPIPE is ignored. Returns the exit code: 0 a clean
/// drain, 1 a failure at run time, 2 wrong configuration or usage.
int run_service(int argc,
                char** argv,
                const std::function<void(node&)>& set_up,
                const service_options& options = {});

}  // namespace mailroom
