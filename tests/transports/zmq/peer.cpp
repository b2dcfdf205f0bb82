// A node of its own process, to be killed: `peer listen` echoes and tells where, `peer dial
// ADDRESS` says something and tells what becomes of the link. One word a line on stdout.

#include <mailroom/transports/zmq/zmq_transport.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace mailroom;

void tell(const std::string& line) {
  std::cout << line << std::endl;  // Flushed: somebody waits for it.
}

class narrator final : public rpc::link_observer, public rpc::acceptor {
 public:
  rpc::link_observer* on_accept(rpc::link& /*opened*/) noexcept override { return this; }
  void on_open(rpc::link& on) noexcept override {
    wire::buffer hello;
    hello.append("hello", 5);
    on.send(hello);
    tell("open");
  }
  void on_frame(rpc::link& on, wire::frame received) noexcept override {
    wire::buffer back;
    back.append(received.bytes());
    on.send(back);
  }
  void on_writable(rpc::link& /*on*/) noexcept override {}
  void on_closed(rpc::link& /*on*/, const error& why) noexcept override {
    tell("closed " + why.to_string());
  }
};

}  // namespace

int main(int argc, char** argv) {
  transports::zmq_transport transport;
  executors::event_loop loop("peer", platform::system());
  narrator who;
  std::unique_ptr<rpc::transport::port> port;
  loop.start();
  loop.post([&] {
    if (argc == 3 && std::string_view(argv[1]) == "dial") {
      if (!transport.dial(loop, argv[2], who)) {
        tell("failed");
      }
      return;
    }
    auto opened = transport.listen(loop, "tcp://127.0.0.1:0", who);
    if (opened) {
      port = *std::move(opened);
      tell(port->address());
    }
  });
  std::string line;
  std::getline(std::cin, line);  // Until whoever started us has gone.
  loop.post([&] { port.reset(); });
  loop.stop();
  return 0;
}
