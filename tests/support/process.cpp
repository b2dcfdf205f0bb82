#include <mailroom/tests/support/process.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace mailroom::tests {
namespace {

using steady = std::chrono::steady_clock;

int left_until(steady::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - steady::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

void check(int outcome, const char* what) {
  if (outcome < 0) {
    throw std::system_error(errno, std::generic_category(), what);
  }
}

}  // namespace

process::process(const std::vector<std::string>& command) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  check(::pipe2(in.data(), O_CLOEXEC), "pipe");
  check(::pipe2(out.data(), O_CLOEXEC), "pipe");
  errors_ = ::memfd_create("errors", MFD_CLOEXEC);
  check(errors_, "memfd_create");
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& each : command) {
    arguments.push_back(const_cast<char*>(each.c_str()));
  }
  arguments.push_back(nullptr);
  pid_ = ::fork();
  check(pid_, "fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(errors_, STDERR_FILENO);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  in_ = in[1];
  out_ = out[0];
}

process::~process() {
  if (running()) {
    ::kill(pid_, SIGKILL);
    wait();
  }
  if (std::getenv("MAILROOM_TEST_SHOW_ERRORS") != nullptr) {
    std::fprintf(
        stderr, "-- standard error of process %d:\n%s", static_cast<int>(pid_), errors().c_str());
  }
  close_input();
  ::close(out_);
  ::close(errors_);
}

std::optional<std::string> process::read_line(std::chrono::milliseconds within) {
  const auto end = steady::now() + within;
  for (;;) {
    if (const auto at = unread_.find('\n'); at != std::string::npos) {
      std::string line = unread_.substr(0, at);
      unread_.erase(0, at + 1);
      return line;
    }
    pollfd readable{out_, POLLIN, 0};
    if (::poll(&readable, 1, left_until(end)) == 0) {
      return std::nullopt;
    }
    std::array<char, 4096> some{};
    const ssize_t got = ::read(out_, some.data(), some.size());
    if (got == 0) {
      return std::nullopt;
    }
    if (got > 0) {
      unread_.append(some.data(), static_cast<std::size_t>(got));
    }
  }
}

std::string process::read_after(const std::string& beginning, std::chrono::milliseconds within) {
  const auto end = steady::now() + within;
  while (const auto line = read_line(std::chrono::milliseconds(left_until(end)))) {
    if (line->compare(0, beginning.size(), beginning) == 0) {
      return line->substr(beginning.size());
    }
  }
  throw std::runtime_error("no line '" + beginning + "' from the process; its errors: " + errors());
}

void process::write_line(const std::string& line) {
  const std::string all = line + "\n";
  for (std::size_t done = 0; done < all.size();) {
    const ssize_t put = ::write(in_, all.data() + done, all.size() - done);
    if (put < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "write");
    }
    done += put > 0 ? static_cast<std::size_t>(put) : 0;
  }
}

void process::close_input() {
  if (in_ >= 0) {
    ::close(in_);
    in_ = -1;
  }
}

void process::signal(int number) const {
  ::kill(pid_, number);
}

std::optional<int> process::wait(std::chrono::milliseconds within) {
  const auto end = steady::now() + within;
  while (!ended_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (steady::now() >= end) {
      break;
    }
    ::poll(nullptr, 0, 2);
  }
  return ended_;
}

process_figures process::figures() const {
  return figures_of(pid_);
}

std::string process::errors() const {
  std::string all;
  std::array<char, 4096> some{};
  for (;;) {
    const ssize_t got = ::pread(errors_, some.data(), some.size(), static_cast<off_t>(all.size()));
    if (got <= 0) {
      return all;
    }
    all.append(some.data(), static_cast<std::size_t>(got));
  }
}

process_figures figures_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  process_figures found;
  std::ifstream stat(folder + "/stat");
  const std::string all((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream fields(all.substr(all.rfind(')') + 2));  // The name may contain anything.
  std::vector<std::string> words((std::istream_iterator<std::string>(fields)), {});
  const auto ticks = std::stoll(words.at(11)) + std::stoll(words.at(12));
  found.cpu = std::chrono::milliseconds(ticks * 1000 / ::sysconf(_SC_CLK_TCK));
  found.threads = std::stoul(words.at(17));
  std::ifstream memory(folder + "/smaps_rollup");
  for (std::string line; std::getline(memory, line);) {
    std::istringstream parts(line);
    std::string name;
    std::size_t kilobytes = 0;
    if (parts >> name >> kilobytes && name.compare(0, 8, "Private_") == 0) {
      found.private_bytes += kilobytes * 1024;
    }
  }
  return found;
}

}  // namespace mailroom::tests
