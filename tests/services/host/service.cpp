// The smallest service: what `host_service_test` runs.

#include <mailroom/mailroom.hpp>

#include <string>

namespace {

class greeter {
 public:
  std::string greet(mailroom::context&, std::string name) { return "hello " + name; }
};

}  // namespace

int main(int argc, char** argv) {
  return mailroom::run_service(
      argc,
      argv,
      [](mailroom::node& node) {
        node.serve({.topic = "greeter"},
                   mailroom::endpoint<greeter>().method("greet", &greeter::greet))
            .value();
      },
      {.description = "greets"});
}
