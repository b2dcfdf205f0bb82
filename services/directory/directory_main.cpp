#include <mailroom/services/host/node.hpp>
#include <mailroom/services/host/service.hpp>

#include <mailroom/framework/directory/server.hpp>

#include <memory>

// A directory serves no topic; it answers verbs on its control address.
int main(int argc, char** argv) {
  mailroom::duration period{};
  return mailroom::run_service(
      argc,
      argv,
      [&period](mailroom::node& node) {
        node.extend_control([&period](auto& verbs, auto& loop, auto& host) {
          return std::make_shared<mailroom::directory::server>(
              verbs, loop, host, mailroom::directory::lease_table::options{.period = period});
        });
      },
      {.description = "a directory, with which nodes register and in which they find each other",
       .example = "--listen tcp://127.0.0.1:7000",
       .is_directory = true,
       .configured = [&period](const mailroom::config& settings) {
         period = settings.time("node.heartbeat");
       }});
}
