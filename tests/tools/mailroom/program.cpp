#include <mailroom/tests/tools/mailroom/program.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <thread>

namespace mailroom::tests {
namespace {

struct pipe_ends {
  pipe_ends() {
    std::array<int, 2> made{};
    if (pipe2(made.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("pipe");
    }
    from = made[0];
    to = made[1];
  }
  int from;
  int to;
};

pid_t start(std::vector<std::string> arguments, int out, int err) {
  std::string program = MAILROOM_COMMAND;
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 2);
  argv.push_back(program.data());
  for (auto& each : arguments) {
    argv.push_back(each.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  if (err >= 0) {
    posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
  }
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, argv.front(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) {
    throw std::runtime_error("cannot run " + program);
  }
  return pid;
}

std::string read_all(int from) {
  std::string all;
  std::array<char, 4096> chunk{};
  ssize_t got = 0;
  while ((got = read(from, chunk.data(), chunk.size())) > 0) {
    all.append(chunk.data(), static_cast<std::size_t>(got));
  }
  close(from);
  return all;
}

int wait_for(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// With a stdout that takes nothing, which it closes.
outcome run_in_vain(const std::vector<std::string>& arguments, int out) {
  const pipe_ends err;
  const pid_t pid = start(arguments, out, err.to);
  close(out);
  close(err.to);
  outcome got;
  got.err = read_all(err.from);
  got.code = wait_for(pid);
  return got;
}

}  // namespace

outcome run_on_full_disk(const std::vector<std::string>& arguments) {
  return run_in_vain(arguments, open("/dev/full", O_WRONLY | O_CLOEXEC));
}

outcome run_on_closed_pipe(const std::vector<std::string>& arguments) {
  const pipe_ends out;
  close(out.from);
  return run_in_vain(arguments, out.to);
}

outcome run(const std::vector<std::string>& arguments) {
  const pipe_ends out;
  const pipe_ends err;
  const pid_t pid = start(arguments, out.to, err.to);
  close(out.to);
  close(err.to);
  outcome got;
  std::thread errors([&] { got.err = read_all(err.from); });
  got.out = read_all(out.from);
  errors.join();
  got.code = wait_for(pid);
  return got;
}

server::server(const std::string& executor)
    : server(std::vector<std::string>{
          "bench", "serve", "--listen", "tcp://127.0.0.1:0", "--executor", executor}) {}

server::server(const std::vector<std::string>& arguments) {
  const pipe_ends out;
  pid_ = start(arguments, out.to, -1);
  close(out.to);
  out_ = out.from;
  const std::string greeting = "ready ";
  std::string line;
  char c = 0;
  while (read(out_, &c, 1) == 1 && c != '\n') {
    line += c;
  }
  if (line.rfind(greeting, 0) == 0) {
    address_ = line.substr(greeting.size());
  }
}

server::~server() {
  terminate();
  close(out_);
}

int server::terminate() {
  if (pid_ < 0) {
    return -1;
  }
  kill(pid_, SIGTERM);
  const int code = wait_for(pid_);
  pid_ = -1;
  return code;
}

}  // namespace mailroom::tests
