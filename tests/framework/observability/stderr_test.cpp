#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace mailroom::tests {
namespace {

constexpr int flood = 100'000;
constexpr const char* role = "MAILROOM_LOG_TEST_ROLE";

// What this program does when a test has started it anew, with a pipe as its stderr.
struct child {
  child() {
    const char* const part = std::getenv(role);
    if (part == nullptr) {
      return;
    }
    const std::string plays = part;
    if (plays == "says little") {
      for (int i = 0; i < 100; ++i) {
        log::info("line", {{"i", i}});
      }
      std::exit(0);
    }
    for (int i = 0; i < flood; ++i) {
      log::info("line", {{"i", i}});
    }
    if (plays == "waits to be read") {
      char byte = '!';
      if (::write(STDOUT_FILENO, &byte, 1) != 1 || ::read(STDIN_FILENO, &byte, 1) != 1) {
        std::exit(1);
      }
      log::flush(30s);
      log::info("last");
    }
    std::exit(0);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(child);

class started {
 public:
  explicit started(const std::string& part) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    BOOST_REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    BOOST_REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    BOOST_REQUIRE(::pipe2(err.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    std::string program = "/proc/self/exe";
    std::array<char*, 2> argv{program.data(), nullptr};
    ::setenv(role, part.c_str(), 1);
    const int failed =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
    ::unsetenv(role);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    ::close(err[1]);
    in_ = in[1];
    out_ = out[0];
    err_ = err[0];
    BOOST_REQUIRE(failed == 0);
  }
  ~started() {
    for (const int each : {in_, out_, err_}) {
      ::close(each);
    }
  }
  started(const started&) = delete;
  started& operator=(const started&) = delete;

  /// Blocks until it has ended; the time limit of the test is the bound.
  int exit_code() const {
    int status = 0;
    BOOST_REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void wait_for_word() const {
    char byte = 0;
    BOOST_REQUIRE(::read(out_, &byte, 1) == 1);
  }
  void let_go_on() const {
    const char byte = '!';
    BOOST_REQUIRE(::write(in_, &byte, 1) == 1);
  }
  std::vector<std::string> read_lines() const {
    std::string all;
    std::array<char, 65536> piece{};
    for (ssize_t got = 0; (got = ::read(err_, piece.data(), piece.size())) > 0;) {
      all.append(piece.data(), static_cast<std::size_t>(got));
    }
    std::vector<std::string> lines;
    std::istringstream text(all);
    for (std::string line; std::getline(text, line);) {
      lines.push_back(line);
    }
    return lines;
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(log_stderr)

// Whoever logged waited for good, and with it all others.
BOOST_AUTO_TEST_CASE(that_nobody_reads_stops_nobody) {
  const auto before = std::chrono::steady_clock::now();
  const started floods("floods");
  BOOST_TEST(floods.exit_code() == 0);
  BOOST_TEST((std::chrono::steady_clock::now() - before < 20s));
}

BOOST_AUTO_TEST_CASE(tells_how_many_lines_were_lost_when_it_is_read_again) {
  const started floods("waits to be read");
  floods.wait_for_word();
  floods.let_go_on();
  const auto lines = floods.read_lines();
  BOOST_TEST(floods.exit_code() == 0);
  constexpr std::string_view key = " lines_lost=";
  int written = 0;
  int lost = 0;
  for (const auto& each : lines) {
    written += each.find(" info line i=") != std::string::npos ? 1 : 0;
    if (const auto at = each.find(key); at != std::string::npos) {
      lost += std::stoi(each.substr(at + key.size()));
    }
  }
  BOOST_TEST(lost > 0);
  BOOST_TEST(written + lost == flood);
  BOOST_TEST_REQUIRE(!lines.empty());
  BOOST_TEST(lines.back().ends_with(" info last"));
}

BOOST_AUTO_TEST_CASE(has_every_line_when_the_process_has_ended) {
  for (int i = 0; i < 20; ++i) {
    const started says("says little");
    const auto lines = says.read_lines();
    BOOST_TEST(says.exit_code() == 0);
    BOOST_TEST_REQUIRE(lines.size() == 100U);
    BOOST_TEST(lines.front().ends_with(" info line i=0"));
    BOOST_TEST(lines.back().ends_with(" info line i=99"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests
