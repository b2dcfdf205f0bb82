#include <mailroom/tests/transports/contract.hpp>

#include <mailroom/transports/local/local_transport.hpp>

namespace {

struct wiring {
  static std::unique_ptr<mailroom::rpc::transport> make(mailroom::rpc::transport::limits bounds) {
    return std::make_unique<mailroom::transports::local_transport>(bounds);
  }
  static std::string any_address() { return "local://*"; }
  static std::string nobody() { return "local://nobody"; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(local_transport)

MAILROOM_TRANSPORT_CONTRACT(wiring)

BOOST_AUTO_TEST_SUITE_END()
