// A service whose handlers do not end before a line comes on standard input: what
// `host_watchdog_test` runs.

#include <mailroom/tests/support/gate.hpp>

#include <mailroom/mailroom.hpp>

#include <iostream>
#include <string>
#include <thread>

namespace {

using mailroom::tests::gate;

gate& the_gate() {
  static gate one;
  return one;
}

class stuck_handlers {
 public:
  std::string hang(mailroom::context&) {
    the_gate().wait();
    return "hung";
  }
  std::string hang_on_fiber(mailroom::context& ctx) {
    ctx.sleep(std::chrono::milliseconds(1));
    the_gate().wait();
    return "hung";
  }
  mailroom::task<std::string> hang_in_coroutine(mailroom::context& ctx) {
    co_await ctx.sleep(std::chrono::milliseconds(1));
    the_gate().wait();
    co_return "hung";
  }
  std::string block(mailroom::context&) {
    the_gate().wait();
    return "blocked";
  }
  std::string park(mailroom::context& ctx, int milliseconds) {
    ctx.sleep(std::chrono::milliseconds(milliseconds));
    return "parked";
  }
  mailroom::task<std::string> suspend(mailroom::context& ctx, int milliseconds) {
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return "suspended";
  }
  std::string quick(mailroom::context&) { return "quick"; }
};

}  // namespace

int main(int argc, char** argv) {
  return mailroom::run_service(
      argc,
      argv,
      [](mailroom::node& node) {
        // Has no fibers, so that it keeps to no thread.
        node.serve({.topic = "free"},
                   mailroom::endpoint<stuck_handlers>()
                       .method("hang", &stuck_handlers::hang)
                       .method("suspend", &stuck_handlers::suspend)
                       .method("quick", &stuck_handlers::quick))
            .value();
        for (const char* topic : {"coop", "steal-0", "steal-1", "loop"}) {
          node.serve(
                  {.topic = topic},
                  mailroom::endpoint<stuck_handlers>()
                      .method("hang", &stuck_handlers::hang)
                      .method("hang_on_fiber", &stuck_handlers::hang_on_fiber, mailroom::suspending)
                      .method("hang_in_coroutine", &stuck_handlers::hang_in_coroutine)
                      .method("block", &stuck_handlers::block, mailroom::blocking)
                      .method("park", &stuck_handlers::park, mailroom::suspending)
                      .method("suspend", &stuck_handlers::suspend)
                      .method("quick", &stuck_handlers::quick))
              .value();
        }
      },
      {.description = "gets stuck", .started = [](mailroom::node&) {
         std::thread([] {
           for (std::string line; std::getline(std::cin, line);) {
             the_gate().open();
           }
         }).detach();
       }});
}
