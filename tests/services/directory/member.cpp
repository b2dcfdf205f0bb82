// A node of a crowd: serves topics, watches others, and prints when it knows of whom.
//
// For each topic of --member-watches and each name of --member-awaits it calls that server, which
// waits until the server is known and connected to, and prints
//
//     knows TOPIC NAME MONOTONIC_NANOSECONDS
//
// With --member-calls it calls that topic, one call after the other, and prints at its end
//
//     calls ANSWERED FAILED LONGEST_MS [FIRST_FAILURE]

#include <mailroom/services/host/mailroom.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace mailroom;

class named {
 public:
  explicit named(std::string name) : name_(std::move(name)) {}
  std::string who(context&) { return name_; }

 private:
  std::string name_;
};

struct settings {
  std::vector<std::string> serves;
  std::vector<std::string> watches;
  std::vector<std::string> awaits;
  std::string calls;
};

void print(const std::string& line) {
  static std::mutex one;
  const std::lock_guard lock(one);
  std::puts(line.c_str());
  std::fflush(stdout);
}

task<void> await(context& ctx, std::string topic, std::string name) {
  const auto asks =
      ctx.client({.topic = topic}).prepare({.timeout = 1h, .server = name, .wait_for_ready = true});
  const auto told = co_await asks.async_call<std::string>("who");
  print(told ? "knows " + topic + " " + name + " " +
                   std::to_string(clock::now().time_since_epoch().count())
             : "fails " + topic + " " + name + " " + told.error().to_string());
}

class caller {
 public:
  void start(node& at, const std::string& topic) {
    thread_ = std::thread([this, &at, topic] {
      const auto asks =
          client(at, {.topic = topic}).prepare({.timeout = 5s, .wait_for_ready = true});
      while (!done_) {
        const auto begun = clock::now();
        const auto told = asks.call<std::string>("who");
        longest_ = std::max(longest_, duration(clock::now() - begun));
        if (!told && failed_++ == 0) {
          first_ = told.error().to_string();
        }
        answered_ += told ? 1 : 0;
        std::this_thread::sleep_for(1ms);  // Not all of a processor.
      }
    });
  }
  void stop() {
    if (thread_.joinable()) {
      done_ = true;
      thread_.join();
      print(
          "calls " + std::to_string(answered_) + " " + std::to_string(failed_) + " " +
          std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(longest_).count()) +
          " " + first_);
    }
  }

 private:
  std::thread thread_;
  std::atomic<bool> done_{false};
  int answered_ = 0;
  int failed_ = 0;
  duration longest_{0};
  std::string first_;
};

}  // namespace

int main(int argc, char** argv) {
  settings with;
  caller calls;
  return run_service(
      argc,
      argv,
      [&](node& at) {
        for (const auto& each : with.serves) {
          at.serve({.topic = each}, endpoint<named>(at.name()).method("who", &named::who));
        }
      },
      {.settings = {{.key = "member.serves", .type = option_type::list, .help = "topics"},
                    {.key = "member.watches", .type = option_type::list, .help = "topics"},
                    {.key = "member.awaits", .type = option_type::list, .help = "names"},
                    {.key = "member.calls", .help = "a topic"}},
       .configured =
           [&](const config& from) {
             with = {from.list("member.serves"),
                     from.list("member.watches"),
                     from.list("member.awaits"),
                     from.text("member.calls")};
           },
       .started =
           [&](node& at) {
             for (const auto& topic : with.watches) {
               for (const auto& name : with.awaits) {
                 at.run("await", [topic, name](context& ctx) { return await(ctx, topic, name); });
               }
             }
             if (!with.calls.empty()) {
               calls.start(at, with.calls);
             }
           },
       .stopping = [&](node&) { calls.stop(); }});
}
