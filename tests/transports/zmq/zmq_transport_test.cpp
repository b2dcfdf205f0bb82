#include <mailroom/tests/transports/contract.hpp>

#include <mailroom/transports/zmq/zmq_transport.hpp>

namespace {

struct tcp {
  static std::unique_ptr<mailroom::rpc::transport> make(mailroom::rpc::transport::limits bounds) {
    return std::make_unique<mailroom::transports::zmq_transport>(bounds);
  }
  static std::string any_address() { return "tcp://127.0.0.1:0"; }
  static std::string nobody() { return "tcp://127.0.0.1:1"; }
};

struct ipc {
  static std::unique_ptr<mailroom::rpc::transport> make(mailroom::rpc::transport::limits bounds) {
    return std::make_unique<mailroom::transports::zmq_transport>(bounds);
  }
  static std::string any_address() { return "ipc://*"; }
  static std::string nobody() { return "ipc:///nowhere/nobody"; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(zmq_transport_tcp)
MAILROOM_TRANSPORT_CONTRACT(tcp)
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(zmq_transport_ipc)
MAILROOM_TRANSPORT_CONTRACT(ipc)
BOOST_AUTO_TEST_SUITE_END()
