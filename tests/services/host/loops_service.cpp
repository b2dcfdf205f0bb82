// A service with an endpoint that tells its thread behind each of four topics: what
// `host_loops_test` runs.

#include <mailroom/mailroom.hpp>

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

std::string thread_name() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

std::atomic<int> met{0};

class resident {
 public:
  resident() : pipe_(new_pipe()) {}
  resident(const resident&) : resident() {}
  ~resident() {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }

  std::string thread(mailroom::context&) { return thread_name(); }

  // Keeps its thread until as many have come, which must run beside each other, or a line on
  // standard input.
  std::string meet(mailroom::context&, int all) {
    for (++met; met < all;) {
      std::this_thread::yield();
    }
    return thread_name();
  }

  // Returns at what number it should have been: `number`, if calls start in order and once.
  int next(mailroom::context&, int number) {
    const int due = last_ + 1;
    last_ = number;
    return due;
  }

  // Whatever one waits for: time, a descriptor, a part of itself.
  mailroom::task<std::string> wait(mailroom::context& ctx) {
    co_await ctx.sleep(std::chrono::milliseconds(1));
    co_await write_later(ctx);
    co_await ctx.io().readable(pipe_[0]);
    char read = 0;
    static_cast<void>(::read(pipe_[0], &read, 1));
    co_return thread_name();
  }
  std::string wait_on_fiber(mailroom::context& ctx) {
    ctx.sleep(std::chrono::milliseconds(1));
    static_cast<void>(::write(pipe_[1], "x", 1));
    mailroom::wait(ctx.io().readable(pipe_[0]));
    char read = 0;
    static_cast<void>(::read(pipe_[0], &read, 1));
    return thread_name();
  }

  // What the endpoint behind another topic says, and where this one goes on.
  mailroom::task<std::string> ask(mailroom::context& ctx, std::string topic) {
    const auto other = ctx.client({.topic = topic});
    const auto said = co_await other.async_call<std::string>("thread");
    co_return said.value() + " " + thread_name();
  }

 private:
  static std::array<int, 2> new_pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) {
      throw std::runtime_error("no pipe");
    }
    return ends;
  }
  mailroom::task<void> write_later(mailroom::context& ctx) {
    co_await ctx.sleep(std::chrono::milliseconds(1));
    static_cast<void>(::write(pipe_[1], "x", 1));
  }

  std::array<int, 2> pipe_;
  int last_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return mailroom::run_service(
      argc,
      argv,
      [](mailroom::node& node) {
        for (const char* topic : {"one", "two", "three", "four"}) {
          node.serve({.topic = topic},
                     mailroom::endpoint<resident>()
                         .method("thread", &resident::thread)
                         .method("meet", &resident::meet)
                         .method("next", &resident::next)
                         .method("wait", &resident::wait)
                         .method("wait_on_fiber", &resident::wait_on_fiber, mailroom::suspending)
                         .method("ask", &resident::ask))
              .value();
        }
      },
      {.description = "tells threads", .started = [](mailroom::node&) {
         std::thread([] {
           for (std::string line; std::getline(std::cin, line);) {
             met = std::numeric_limits<int>::max();
           }
         }).detach();
       }});
}
