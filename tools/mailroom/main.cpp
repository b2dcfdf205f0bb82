#include <mailroom/services/host/standard_streams.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <csignal>

int main(int argc, char** argv) {
  mailroom::open_standard_streams();
  // Whoever read our output may be gone: writing fails then, which `run` reports.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("The operator's command for mailroom nodes.", "mailroom");
  app.require_subcommand(1);
  app.set_version_flag("--version", "mailroom " MAILROOM_VERSION, "Print the version and exit");
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 wrong usage. `mailroom VERB --help` shows an example of "
      "each.\n\nExample:\n  mailroom call --connect tcp://127.0.0.1:7001 --topic echo echo "
      "'[\"hello\"]'");
  mailroom::cli::job chosen;
  mailroom::cli::add_call(app, chosen);
  mailroom::cli::add_cast(app, chosen);
  mailroom::cli::add_ping(app, chosen);
  mailroom::cli::add_describe(app, chosen);
  mailroom::cli::add_executor(app, chosen);
  mailroom::cli::add_bench(app, chosen);
  return mailroom::cli::run(app, chosen, argc, argv);
}
