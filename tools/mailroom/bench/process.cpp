#include <mailroom/tools/mailroom/bench/process.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

namespace mailroom::bench {
namespace {

error system_error(const std::string& what, int code) {
  return error(errc::io, what + ": " + std::strerror(code));
}

sigset_t stop_signals() {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGTERM);
  sigaddset(&both, SIGINT);
  return both;
}

/// In the child after fork: only what is safe there. Not posix_spawn, which cannot make a child end
/// with its parent.
[[noreturn]] void become(
    const std::vector<char*>& argv, const char* program, pid_t parent, int out, int told) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) {
    _exit(1);  // It ended before it would have been noticed.
  }
  std::signal(SIGPIPE, SIG_DFL);  // What is ignored stays so in another program.
  int failed = 0;
  if (dup2(out, STDOUT_FILENO) < 0 || execvp(program, argv.data()) != 0) {
    failed = errno;
  }
  // Nobody is left to hear of it if this fails.
  [[maybe_unused]] const ssize_t written = write(told, &failed, sizeof failed);
  _exit(127);
}

}  // namespace

duration own_cpu_time() noexcept {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::set<int> own_threads() {
  std::set<int> all;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/task")) {
    all.insert(std::stoi(each.path().filename().string()));
  }
  return all;
}

duration cpu_time_of(const std::set<int>& threads) {
  duration sum{0};
  for (const int each : threads) {
    std::ifstream file("/proc/self/task/" + std::to_string(each) + "/schedstat");
    std::int64_t on_cpu = 0;
    if (file >> on_cpu) {
      sum += std::chrono::nanoseconds(on_cpu);
    }
  }
  return sum;
}

result<void> keep_to_cpu(unsigned cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  if (sched_setaffinity(0, sizeof only, &only) != 0) {
    return system_error("cannot keep to CPU " + std::to_string(cpu), errno);
  }
  return {};
}

void hold_stop_signals() {
  const sigset_t both = stop_signals();
  pthread_sigmask(SIG_BLOCK, &both, nullptr);
  std::signal(SIGHUP, SIG_IGN);
}

void wait_for_stop_signal() {
  const sigset_t both = stop_signals();
  int which = 0;
  sigwait(&both, &which);
}

result<child> child::start(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"mailroom"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return start("/proc/self/exe", std::move(words));
}

result<child> child::start_program(const std::vector<std::string>& words) {
  return start(words.front(), words);
}

result<child> child::start(const std::string& program, std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_error("pipe", errno);
  }
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& each : words) {
    argv.push_back(each.data());
  }
  argv.push_back(nullptr);

  std::array<int, 2> told{};
  if (pipe2(told.data(), O_CLOEXEC) != 0) {
    const error why = system_error("pipe", errno);
    close(ends[0]);
    close(ends[1]);
    return why;
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    become(argv, program.c_str(), parent, ends[1], told[1]);
  }
  const int not_forked = pid < 0 ? errno : 0;
  close(ends[1]);
  close(told[1]);
  // Closed by exec, unless that has failed.
  int not_run = 0;
  ssize_t got = 0;
  while (pid > 0 && (got = read(told[0], &not_run, sizeof not_run)) < 0 && errno == EINTR) {
  }
  close(told[0]);
  if (got > 0) {
    waitpid(pid, nullptr, 0);
  }
  if (pid < 0 || got > 0) {
    close(ends[0]);
    return system_error("cannot start " + words.front(), pid < 0 ? not_forked : not_run);
  }
  return child(pid, ends[0]);
}

child::child(child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      read_(std::move(other.read_)) {}

child::~child() {
  terminate();
  if (out_ >= 0) {
    close(out_);
  }
}

bool child::read_more() {
  std::array<char, 4096> chunk{};
  ssize_t got = 0;
  do {
    got = read(out_, chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    return false;
  }
  read_.append(chunk.data(), static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> child::read_line() {
  std::size_t end = 0;
  while ((end = read_.find('\n')) == std::string::npos) {
    if (!read_more()) {
      return std::nullopt;
    }
  }
  std::string line = read_.substr(0, end);
  read_.erase(0, end + 1);
  return line;
}

std::string child::read_rest() {
  while (read_more()) {
  }
  return std::exchange(read_, {});
}

int child::terminate() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
  }
  return wait();
}

int child::wait() {
  if (pid_ <= 0) {
    return 0;
  }
  int status = 0;
  pid_t ended = 0;
  do {
    ended = waitpid(pid_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace mailroom::bench
