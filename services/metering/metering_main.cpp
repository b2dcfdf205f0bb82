// mailroom-metering: asks a collector.

#include <mailroom/services/host/standard_streams.hpp>
#include <mailroom/services/metering/collector.hpp>
#include <mailroom/services/metering/table.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/mailroom.hpp>

#include <CLI/CLI.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace {

using mailroom::result;
using mailroom::unless_unseen;
using mailroom::metering::statistic;

constexpr const char* program = "mailroom-metering";

struct question {
  std::string connect;
  std::string timeout = "5s";
  mailroom::metering::filter which;
  bool json = false;
};

result<std::vector<statistic>> ask(const question& what) {
  const auto timeout = mailroom::parse_duration(what.timeout);
  if (!timeout) {
    return timeout.error();
  }
  // One line on stderr says what went wrong; how the connection came to be is nobody's question.
  mailroom::log::set_level(mailroom::log::level::off);
  mailroom::node node({.connect = {what.connect}});
  if (auto started = node.start(); !started) {
    return started.error();
  }
  const mailroom::client collector(
      node, {.topic = mailroom::metering::topic, .version = mailroom::metering::version});
  return collector.prepare({.timeout = *timeout})
      .call<std::vector<statistic>>("statistics", what.which);
}

int show(const question& what) {
  const auto rows = ask(what);
  if (!rows) {
    std::cerr << "mailroom-metering: " << rows.error().to_string() << '\n';
    return rows.error() == mailroom::errc::invalid_value ? 2 : 1;
  }
  std::cout << (what.json ? mailroom::metering::statistics_json(*rows)
                          : mailroom::metering::statistics_table(*rows));
  return unless_unseen(program, 0);
}

}  // namespace

int main(int argc, char** argv) {
  mailroom::open_standard_streams();
  CLI::App app("Asks a metering collector.");
  app.require_subcommand(1);
  const std::string example =
      "Example: mailroom-metering statistics --connect tcp://127.0.0.1:7001";
  app.footer(example);
  question what;
  auto* statistics = app.add_subcommand(
      "statistics", "Count, min, avg, max and rate of each meter of each resource.");
  statistics->footer(example);
  statistics->add_option("--connect", what.connect, "The collector's address")->required();
  statistics->add_option("--meter", what.which.meter, "Of this meter only");
  statistics->add_option("--resource", what.which.resource, "Of this resource only");
  statistics->add_option("--timeout", what.timeout, "How long to wait for the answer")
      ->capture_default_str();
  statistics->add_flag("--json", what.json, "Print JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    if (wrong.get_exit_code() == 0) {
      return unless_unseen(program, app.exit(wrong));  // --help
    }
    std::cerr << "mailroom-metering: " << wrong.what() << " (see --help)\n";
    return 2;
  }
  return show(what);
}
