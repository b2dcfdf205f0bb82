#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace mailroom::rpc {

/// One end of a two-way stream of frames to one peer. It belongs to one event loop and is used on
/// that loop's thread only. Frames arrive whole and in order, or the link closes.
class link {
 public:
  link(const link&) = delete;
  link& operator=(const link&) = delete;

  /// Takes `frame` over and returns true, or has no room: returns false, leaves `frame` as it was,
  /// and calls `on_writable` later. Never blocks. True means *queued*, nothing more.
  virtual bool send(wire::buffer& frame) = 0;

  /// Bytes taken over by `send` that the network has not taken yet.
  virtual std::size_t unsent_bytes() const noexcept = 0;

  /// Whom this is, for logs: "127.0.0.1:52114". Empty if the transport cannot tell.
  virtual std::string_view peer_address() const noexcept = 0;

  /// The same without the port.
  std::string_view peer_host() const noexcept {
    const auto whole = peer_address();
    return whole.substr(0, whole.rfind(':'));
  }

  /// What limits on log lines go by, since every connection has a port of its own: the host. One
  /// that cannot be told counts as a host that can, if possible: otherwise a flood of connections
  /// that have gone before anybody looks would have its lines twice.
  virtual std::string_view log_group() const noexcept { return peer_host(); }

  /// Ends the link. No callback follows; the link is gone when it returns. What `send` accepted
  /// before still leaves, within the transport's linger time, if `flush` is true; otherwise it is
  /// discarded.
  virtual void close(bool flush) = 0;

 protected:
  link() = default;
  ~link() = default;
};

/// Who is told what happens on a link. Called on the loop's thread; must not throw.
class link_observer {
 public:
  /// A dialled link is up; `send` may be used. Not called for accepted links, which are up from the
  /// start.
  virtual void on_open(link& on) noexcept = 0;
  virtual void on_frame(link& on, wire::frame received) noexcept = 0;
  /// There may be room again after a refused `send`.
  virtual void on_writable(link& on) noexcept = 0;
  /// The link is gone or never came up; the last call about it, `on` is invalid afterwards.
  virtual void on_closed(link& on, const error& why) noexcept = 0;

 protected:
  ~link_observer() = default;
};

/// Who answers for links that others open.
class acceptor {
 public:
  /// A peer spoke for the first time. Returns who observes its link from now on, or null to refuse
  /// it.
  virtual link_observer* on_accept(link& opened) noexcept = 0;

 protected:
  ~acceptor() = default;
};

/// Moves frames between nodes, nothing else. Both ends run the same contract suite
/// (tests/transports). Addresses are "scheme://rest", as in "tcp://127.0.0.1:7001" or
/// "local://name".
class transport {
 public:
  struct limits {
    std::size_t max_frame = std::size_t{40}
                            << 20;  ///< Bytes; a peer that sends more is disconnected.
    duration handshake = std::chrono::seconds(2);  ///< An unfinished handshake is ended after this.
    duration dial = std::chrono::seconds(2);  ///< A dial that does not come up is ended after this.
    duration linger =
        std::chrono::milliseconds(500);  ///< How long closing waits for accepted bytes to leave.
  };

  virtual ~transport() = default;

  /// Whether it understands addresses of this scheme ("tcp", "ipc", "local").
  virtual bool handles(std::string_view scheme) const noexcept = 0;

  /// An open port; closing it (destroying it, on the loop's thread) silently closes the links that
  /// came through it.
  class port {
   public:
    virtual ~port() = default;
    /// Where it can be reached: as asked for, with the port number that the system chose for 0.
    virtual const std::string& address() const noexcept = 0;
  };

  /// Opens `address` for others. Loop thread only. Errors: `errc::io` with address and reason (in
  /// use, not local, unknown host), `errc::invalid_value` for an address that cannot be read.
  virtual result<std::unique_ptr<port>> listen(executors::event_loop& on,
                                               const std::string& address,
                                               acceptor& who) = 0;

  /// Starts to connect and returns at once; `on_open` or `on_closed` (`errc::unreachable`) follows,
  /// never from within. Loop thread only. Names are resolved off the loop. An address that cannot
  /// be read is `errc::invalid_value`. The transport owns the link.
  virtual result<link*> dial(executors::event_loop& on,
                             const std::string& address,
                             link_observer& who) = 0;
};

}  // namespace mailroom::rpc
