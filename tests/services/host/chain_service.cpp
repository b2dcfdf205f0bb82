// One exclusive endpoint, whose topic is the node's name: what `host_chain_test` runs.

#include <mailroom/mailroom.hpp>

#include <string>
#include <vector>

namespace {

class passer {
 public:
  // Calls the first of these, which calls the next.
  mailroom::task<std::string> pass(mailroom::context& ctx, std::vector<std::string> topics) {
    if (topics.empty()) {
      co_return "end";
    }
    // The others may have started a moment later.
    const auto next = ctx.client({.topic = topics.front()}).prepare({.wait_for_ready = true});
    const std::vector<std::string> rest(topics.begin() + 1, topics.end());
    co_return (co_await next.async_call<std::string>("pass", rest)).value();
  }
};

}  // namespace

int main(int argc, char** argv) {
  return mailroom::run_service(
      argc,
      argv,
      [](mailroom::node& node) {
        node.serve({.topic = node.name()},
                   mailroom::endpoint<passer>().method("pass", &passer::pass).exclusive())
            .value();
      },
      {.description = "passes calls on"});
}
