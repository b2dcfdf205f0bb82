#pragma once

#include <mailroom/framework/rpc/transport.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace mailroom::transports {

/// Links between nodes of one process: "local://name". Names are known to the whole process,
/// whichever transport object listens. "local://*" listens on a name that nobody else has. The two
/// ends may live on different loops; a frame is moved across, never copied, and never delivered
/// from within `send`.
///
/// A link refuses frames while 8 MiB wait for its peer, and has room again below half of that.
/// Frames sent must not be empty.
///
/// Destroy it when its loops have stopped and before they are destroyed, or on the only loop that
/// it was used with: links that it dialled end without a callback.
class local_transport final : public rpc::transport {
 public:
  local_transport();
  /// Of `bounds` only `max_frame` plays a part: there is nothing to wait for.
  explicit local_transport(limits bounds);
  ~local_transport() override;

  bool handles(std::string_view scheme) const noexcept override;

  /// Also fails with `errc::io` if the name is in use.
  result<std::unique_ptr<port>> listen(executors::event_loop& on,
                                       const std::string& address,
                                       rpc::acceptor& who) override;

  result<rpc::link*> dial(executors::event_loop& on,
                          const std::string& address,
                          rpc::link_observer& who) override;

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mailroom::transports
