#include <mailroom/tests/support/eventually.hpp>
#include <mailroom/tests/support/process.hpp>
#include <mailroom/tests/tools/mailroom/program.hpp>

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace mailroom::tests::processes_test {
using mailroom::tests::eventually;
using mailroom::tests::has;
using mailroom::tests::outcome;
using mailroom::tests::process;
using mailroom::tests::run;
using mailroom::tests::run_on_closed_pipe;
using mailroom::tests::server;

namespace {

// Takes connections, as the system does for who listens, and never says anything.
class silent_listener {
 public:
  silent_listener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const raw = reinterpret_cast<sockaddr*>(&at);
    if (bind(socket_, raw, size) != 0 || listen(socket_, 8) != 0 ||
        getsockname(socket_, raw, &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }
  silent_listener(const silent_listener&) = delete;
  silent_listener& operator=(const silent_listener&) = delete;
  ~silent_listener() { close(socket_); }

  const std::string& address() const noexcept { return address_; }

 private:
  int socket_;
  std::string address_;
};

const std::string timeout = "300ms";

// Every verb that asks, with the same timeout.
std::vector<std::vector<std::string>> questions(const std::string& address) {
  std::vector<std::vector<std::string>> all{{"call", "--topic", "echo", "echo", "[1]"},
                                            {"cast", "--topic", "echo", "sink", "[1]"},
                                            {"cast", "--topic", "echo", "--fanout", "sink", "[1]"},
                                            {"ping"},
                                            {"ping", "--all"},
                                            {"describe"},
                                            {"drain"},
                                            {"executor", "ls"},
                                            {"executor", "set", "--topic", "echo", "cooperative"}};
  for (auto& each : all) {
    each.insert(each.end(), {"--connect", address, "--timeout", timeout});
  }
  return all;
}

void gives_up_in_time(const std::string& address) {
  for (const auto& each : questions(address)) {
    const auto begun = std::chrono::steady_clock::now();
    const outcome got = run(each);
    const auto took = std::chrono::steady_clock::now() - begun;
    BOOST_TEST((took < std::chrono::milliseconds(1500)), each.front());
    BOOST_TEST(got.code == 1);
    BOOST_TEST(got.out.empty(), got.out);
    BOOST_TEST(got.is_one_line_of_error(), got.err);
    BOOST_TEST(has(got.err, "expired"), got.err);
    BOOST_TEST(has(got.err, address), got.err);
  }
}

std::vector<pid_t> children_of(pid_t parent) {
  const std::string line = "PPid:\t" + std::to_string(parent);
  std::vector<pid_t> all;
  for (const auto& each : std::filesystem::directory_iterator("/proc")) {
    const std::string name = each.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    std::ifstream status(each.path() / "status");
    for (std::string read; std::getline(status, read);) {
      if (read == line) {
        all.push_back(std::stoi(name));
      }
    }
  }
  return all;
}

// One that nobody has waited for yet runs no more.
bool runs(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string read; std::getline(status, read);) {
    if (read.starts_with("State:")) {
      return !has(read, "Z") && !has(read, "X");
    }
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command_processes)

BOOST_AUTO_TEST_CASE(the_timeout_holds_for_a_stopped_server) {
  process stopped({MAILROOM_COMMAND, "bench", "serve"});
  const std::string address = stopped.read_after("ready ");
  stopped.signal(SIGSTOP);
  gives_up_in_time(address);
  stopped.signal(SIGCONT);
}

BOOST_AUTO_TEST_CASE(the_timeout_holds_for_a_listener_that_says_nothing) {
  const silent_listener nobody;
  gives_up_in_time(nobody.address());
}

BOOST_AUTO_TEST_CASE(every_verb_says_why_an_address_was_not_reached) {
  server gone;
  const std::string there = gone.address();
  gone.terminate();
  for (auto each : questions(there)) {
    each.back() = "5s";
    const outcome got = run(each);
    BOOST_TEST(got.code == 1);
    BOOST_TEST(got.is_one_line_of_error(), got.err);
    BOOST_TEST(has(got.err, there + ": Connection refused"), got.err);
  }
}

BOOST_AUTO_TEST_CASE(a_comparison_that_is_ended_takes_its_children_with_it) {
  for (const int number : {SIGTERM, SIGINT, SIGKILL}) {
    process compare({MAILROOM_COMMAND,
                     "bench",
                     "compare",
                     "--rounds",
                     "1",
                     "--seconds",
                     "60",
                     "--cases",
                     "calls-32",
                     "--executors",
                     "cooperative"});
    std::vector<pid_t> children;
    BOOST_REQUIRE(eventually([&] {
      children = children_of(compare.pid());
      return children.size() == 2;
    }));
    compare.signal(number);
    BOOST_TEST(compare.wait().value_or(-1) == 128 + number);
    for (const pid_t each : children) {
      BOOST_TEST(eventually([&] { return !runs(each); }));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_reader_that_has_gone_is_a_failure) {
  const server one;
  const outcome got =
      run_on_closed_pipe({"call", "--connect", one.address(), "--topic", "echo", "echo", "[1]"});
  BOOST_TEST(got.code == 1);
  BOOST_TEST(got.is_one_line_of_error(), got.err);
  BOOST_TEST(has(got.err, "stdout"), got.err);
}

BOOST_AUTO_TEST_CASE(a_stdout_that_is_closed_is_a_failure) {
  const server one;
  process closed({"/bin/sh",
                  "-c",
                  std::string(MAILROOM_COMMAND) + " ping --connect " + one.address() + " >&-"});
  BOOST_TEST(closed.wait().value_or(-1) == 1);
  BOOST_TEST(has(closed.errors(), "stdout"), closed.errors());
}

BOOST_AUTO_TEST_CASE(a_server_outlives_its_terminal) {
  for (const char* verb : {"serve", "raw-serve"}) {
    process one({MAILROOM_COMMAND, "bench", verb});
    one.read_after("ready ");
    one.signal(SIGHUP);
    BOOST_TEST(!one.wait(std::chrono::milliseconds(200)).has_value());
    one.signal(SIGTERM);
    BOOST_TEST(one.wait().value_or(-1) == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::processes_test
