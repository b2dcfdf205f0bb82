#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/observability/stderr_writer.hpp>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

namespace mailroom::log {
namespace {

// How long the end of the process waits for a stderr that does not take its last lines.
constexpr duration patience_at_exit = std::chrono::milliseconds(200);

bool takes_more(int milliseconds) noexcept {
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, milliseconds) > 0;
}

// One line is one write, so that processes which share a pipe do not tear each other's lines.
void write_whole(std::string_view line) noexcept {
  while (!line.empty()) {
    const auto wrote = ::write(STDERR_FILENO, line.data(), line.size());
    if (wrote >= 0) {
      line.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (errno == EAGAIN) {
      takes_more(-1);
    } else if (errno != EINTR) {
      return;  // Nowhere to complain when stderr is broken.
    }
  }
}

std::size_t cost_of(const std::string& line) noexcept {
  return line.size() + sizeof line;
}

}  // namespace

stderr_writer& stderr_writer::instance() {
  static auto* const only = [] {
    auto* const made = new stderr_writer;
    std::atexit([] { instance().on_exit(); });
    // A child has no thread of its own, and what is queued is its parent's.
    ::pthread_atfork([] { instance().mutex_.lock(); },
                     [] { instance().mutex_.unlock(); },
                     [] { instance().after_fork(); });
    return made;
  }();
  return *only;
}

stderr_writer::stderr_writer()
    : formatter_(std::make_unique<spdlog::pattern_formatter>(
          "%Y-%m-%dT%H:%M:%S.%fZ %v", spdlog::pattern_time_type::utc, "\n")) {}

void stderr_writer::add(std::string_view text) noexcept {
  try {
    lock held(mutex_);
    std::string line = with_time(text);
    if (bytes_ + cost_of(line) > most_bytes) {
      ++lost_;
      return;
    }
    tell_lost();
    push(std::move(line));
    if (!has_thread()) {
      write_what_fits();
      return;
    }
    wake_.notify_one();
    if (ending_ && !wait_until_written(held, patience_at_exit)) {
      ending_ = false;  // Once is enough.
    }
  } catch (const std::exception&) {
    // Out of memory; the line goes unseen.
  }
}

bool stderr_writer::flush(duration limit) noexcept {
  try {
    lock held(mutex_);
    return wait_until_written(held, limit);
  } catch (const std::exception&) {
    return false;
  }
}

bool stderr_writer::wait_until_written(lock& held, duration limit) {
  return written_.wait_until(held, later(clock::now(), limit), [this] {
    return queue_.empty() && lost_ == 0 && !writing_;
  });
}

void stderr_writer::on_exit() noexcept {
  const bool all = flush(patience_at_exit);
  const std::lock_guard held(mutex_);
  ending_ = all;
}

void stderr_writer::after_fork() noexcept {
  // Made anew: in this process nobody waits at them.
  new (&wake_) std::condition_variable;
  new (&written_) std::condition_variable;
  queue_.clear();
  bytes_ = 0;
  lost_ = 0;
  running_ = false;
  writing_ = false;
  mutex_.unlock();
}

bool stderr_writer::has_thread() noexcept {
  if (running_) {
    return true;
  }
  // Signals are for the threads that the program has made; it may not have blocked them yet.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    platform::system().start_thread("mr-log", [this] { run(); }).detach();
    running_ = true;
  } catch (const std::exception&) {
    running_ = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return running_;
}

void stderr_writer::run() noexcept {
  lock held(mutex_);
  for (;;) {
    if (queue_.empty() && lost_ != 0) {
      tell_lost();
    }
    if (queue_.empty()) {
      written_.notify_all();
      wake_.wait(held, [this] { return !queue_.empty() || lost_ != 0; });
      continue;
    }
    const std::string line = pop();
    writing_ = true;
    held.unlock();
    write_whole(line);
    held.lock();
    writing_ = false;
  }
}

// For want of a thread. What does not fit waits for the next line.
void stderr_writer::write_what_fits() noexcept {
  while (!queue_.empty() && takes_more(0)) {
    write_whole(pop());
  }
}

std::string stderr_writer::with_time(std::string_view text) const {
  const spdlog::details::log_msg message(spdlog::string_view_t(),
                                         spdlog::level::info,
                                         spdlog::string_view_t(text.data(), text.size()));
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  return {line.data(), line.size()};
}

void stderr_writer::push(std::string line) {
  bytes_ += cost_of(line);
  queue_.push_back(std::move(line));
}

void stderr_writer::tell_lost() {
  if (lost_ != 0) {
    push(with_time("warn log_overflowed lines_lost=" + std::to_string(lost_)));
    lost_ = 0;
  }
}

std::string stderr_writer::pop() noexcept {
  std::string line = std::move(queue_.front());
  queue_.pop_front();
  bytes_ -= cost_of(line);
  return line;
}

}  // namespace mailroom::log
