// mailroom-poller: reads this host's meters and sends them to the collector.

#include <mailroom/services/metering/poller.hpp>
#include <mailroom/services/metering/proc_reader.hpp>
#include <mailroom/services/metering/snapshots.hpp>

#include <mailroom/mailroom.hpp>

#include <signal.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <memory>
#include <string>

using mailroom::call_error;
using mailroom::config;
using mailroom::errc;
using mailroom::error;
using mailroom::option_type;
using mailroom::metering::poller;

namespace {

poller::options options_from(const config& settings) {
  poller::options chosen;
  chosen.proc_root = settings.text("proc_root");
  chosen.interval = settings.time("interval");
  chosen.ends_after = std::chrono::seconds(settings.integer("seconds"));
  chosen.keep = static_cast<std::size_t>(settings.integer("keep"));
  chosen.record = settings.text("record");
  if (!mailroom::metering::read_proc(chosen.proc_root, 0) &&
      mailroom::metering::recorded_moments(chosen.proc_root).empty()) {
    throw call_error(error(errc::invalid_value,
                           "--proc-root: '" + chosen.proc_root.string() +
                               "' is neither a /proc nor a folder of snapshots"));
  }
  if (chosen.interval < std::chrono::milliseconds(10)) {
    throw call_error(error(errc::invalid_value, "--interval is shorter than 10ms"));
  }
  if (chosen.record.empty() && settings.list("node.connect").empty()) {
    throw call_error(error(errc::invalid_value,
                           "--connect ADDRESS is missing: where does the collector listen?"));
  }
  return chosen;
}

/// Runs the poller as an actor of its own, and ends the process as an operator would.
mailroom::task<void> live(std::shared_ptr<poller> what,
                          std::string& failure,
                          mailroom::context& ctx) {
  try {
    co_await what->run(ctx);
    if (const auto left = what->undelivered(); left > 0) {
      failure = std::to_string(left) + " samples were not delivered";
    }
  } catch (const std::exception& thrown) {
    failure = thrown.what();
  }
  ::kill(::getpid(), SIGTERM);
}

}  // namespace

int main(int argc, char** argv) {
  poller::options chosen;
  std::shared_ptr<poller> what;
  std::string failure;  // Written by the poller, read when the node has stopped.
  const int status = mailroom::run_service(
      argc,
      argv,
      [](mailroom::node& /*serves nothing*/) {},
      {.description = "Reads this host's meters from /proc and sends them to the collector.",
       .example = "--connect tcp://127.0.0.1:7001 --interval 1s",
       .settings = {{.key = "interval",
                     .type = option_type::time,
                     .fallback = "1s",
                     .help = "Time between two readings"},
                    {.key = "proc_root",
                     .type = option_type::text,
                     .fallback = "/proc",
                     .help = "Another /proc, or a folder of recorded snapshots to be replayed"},
                    {.key = "seconds",
                     .type = option_type::integer,
                     .fallback = "0",
                     .help = "End after that time; 0: when told to",
                     .minimum = 0,
                     .maximum = 100'000'000},
                    {.key = "keep",
                     .type = option_type::integer,
                     .fallback = "100000",
                     .help = "Samples kept while the collector is away; over it the oldest go",
                     .minimum = 1,
                     .maximum = 100'000'000},
                    {.key = "record",
                     .type = option_type::text,
                     .fallback = "",
                     .help = "Write snapshots into this folder instead of sending samples"}},
       .configured = [&](const config& settings) { chosen = options_from(settings); },
       .started =
           [&](mailroom::node& node) {
             what = std::make_shared<poller>(chosen);
             node.run("poller", [&](mailroom::context& ctx) { return live(what, failure, ctx); });
           },
       .stopping = [&](mailroom::node&) { what->stop(); }});
  if (!failure.empty()) {
    std::cerr << "mailroom-poller: " << failure << '\n';
  }
  return failure.empty() ? status : 1;
}
