#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/rpc/transport.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mailroom::transports {

/// Links over ZeroMQ: "tcp://host:port" and "ipc://path". A frame is a ZMTP message of one part.
/// Frames must not be empty: an empty message is how one end says that it closes (README.md).
///
/// One libzmq context with one I/O thread, made at the first `listen` or `dial`. A link refuses
/// frames while 8 MiB wait to be taken by the network, and has room again below half of that.
///
/// Close its ports before their loops end. Destroy it when its loops have stopped and before they
/// are destroyed, or on the only loop it was used with: links that it dialled end without a
/// callback. Destruction waits until what links accepted before they were closed has left, at most
/// the linger time.
class zmq_transport final : public rpc::transport {
 public:
  zmq_transport();
  explicit zmq_transport(limits bounds, platform& host = platform::system());
  ~zmq_transport() override;

  bool handles(std::string_view scheme) const noexcept override;

  /// As promised by `rpc::transport`. A host that is a name is looked up at once, which may block;
  /// `*` means all IPv4 interfaces. "ipc://*" chooses a name without a file. The socket at an
  /// ipc path that nobody listens on any more is replaced; any other file is `errc::io`. The port
  /// takes its socket's file with it.
  result<std::unique_ptr<port>> listen(executors::event_loop& on,
                                       const std::string& address,
                                       rpc::acceptor& who) override;

  result<rpc::link*> dial(executors::event_loop& on,
                          const std::string& address,
                          rpc::link_observer& who) override;

  /// What went wrong on the way in and out since the start. Counters only grow.
  struct statistics {
    std::uint64_t handshakes_failed =
        0;                        ///< Peers that did not speak ZMTP, or did not finish in time.
    std::uint64_t malformed = 0;  ///< Messages of several parts; their links were cut.
    std::uint64_t refused = 0;    ///< Links that the acceptor did not want.
  };
  /// @threadsafe
  statistics stats() const noexcept;

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mailroom::transports
