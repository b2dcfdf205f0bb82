#include <mailroom/mailroom.hpp>

#include <string>

class echo_service {  // One actor owns it: two of its handlers never run at the same moment.
 public:
  std::string echo(mailroom::context& /*ctx*/, std::string text) { return text; }

  mailroom::task<std::string> later(mailroom::context& ctx, std::string text) {
    co_await ctx.sleep(std::chrono::milliseconds(100));  // Others are served meanwhile.
    co_return text + ", number " + std::to_string(++count_);
  }

 private:
  int count_ = 0;
};

int main(int argc, char** argv) {
  return mailroom::run_service(argc, argv, [](mailroom::node& node) {
    node.serve({.topic = "echo", .version = "1.0"},
               mailroom::endpoint<echo_service>()
                   .method("echo", &echo_service::echo)
                   .method("later", &echo_service::later));
  });
}
