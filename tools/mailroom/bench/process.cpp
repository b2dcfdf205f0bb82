#include <mailroom/tools/mailroom/bench/process.hpp>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
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

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, program.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    return system_error("cannot start " + words.front(), failed);
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
