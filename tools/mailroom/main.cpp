#include <mailroom/services/host/standard_streams.hpp>
#include <mailroom/tools/mailroom/verbs.hpp>

#include <csignal>

int main(int argc, char** argv) {
  mailroom::open_standard_streams();
  // Whoever read our output may be gone: writing fails then, which `run` reports.
  std::signal(SIGPIPE, SIG_IGN);
  mailroom::cli::command_line line(
      "The operator's command for mailroom nodes.",
      MAILROOM_VERSION,
      "Exit codes: 0 done, 1 failed, 2 wrong usage. `mailroom VERB --help` shows an example of "
      "each.\n\nExample:\n  mailroom call --connect tcp://127.0.0.1:7001 --topic echo echo "
      "'[\"hello\"]'");
  const mailroom::cli::command top = line.top();
  mailroom::cli::add_call(top);
  mailroom::cli::add_cast(top);
  mailroom::cli::add_ping(top);
  mailroom::cli::add_describe(top);
  mailroom::cli::add_drain(top);
  mailroom::cli::add_executor(top);
  mailroom::cli::add_nodes(top);
  mailroom::cli::add_topics(top);
  mailroom::cli::add_bench(top);
  return line.run(argc, argv);
}
