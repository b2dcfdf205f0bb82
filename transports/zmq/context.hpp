#pragma once

#include <mailroom/transports/zmq/reasons.hpp>

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/transport.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace mailroom::transports::zmq {

/// Bytes that libzmq may hold for one peer before `send` refuses; there is room again below half of
/// it.
inline constexpr std::size_t most_unsent = std::size_t{8} << 20;

/// What one turn of a socket delivers before others of its loop have theirs.
inline constexpr std::size_t frames_per_pass = 256;
inline constexpr std::size_t bytes_per_pass = std::size_t{1} << 20;

/// What a socket takes with its monitor, its first connection and what libzmq opens in passing.
inline constexpr std::size_t descriptors_of_socket = 10;

/// libzmq aborts in many places where it gets no descriptor: ask for as many as it takes before.
/// @threadsafe
bool descriptors_left(std::size_t wanted);

/// Descriptors are given out from below: `descriptor`, just opened, is one of the last.
/// @threadsafe
bool nearly_out_of_descriptors(int descriptor);

/// What went wrong on the way in, since the start.
struct counters {
  std::atomic<std::uint64_t> handshakes_failed{
      0};  ///< Peers that did not speak ZMTP, or never finished.
  std::atomic<std::uint64_t> malformed{
      0};  ///< Messages of other than one part; their links were cut.
  std::atomic<std::uint64_t> refused{0};  ///< Links that the acceptor did not want.
};

/// One libzmq context with its one I/O thread, shared by the sockets of a transport. The last one
/// to let go waits for sockets that linger, no longer than the linger time.
/// @threadsafe
class context {
 public:
  /// Fails with `errc::io` when the system has no descriptors left (libzmq would abort later).
  static result<std::shared_ptr<context>> open(platform& host, rpc::transport::limits bounds);
  ~context();

  context(const context&) = delete;
  context& operator=(const context&) = delete;

  void* handle() const noexcept { return handle_; }
  const rpc::transport::limits& bounds() const noexcept { return bounds_; }
  counters& counts() noexcept { return counts_; }
  zmq::reasons& reasons() noexcept { return reasons_; }
  time_point now() const noexcept { return host_.now(); }
  platform& host() noexcept { return host_; }

  /// 32 hex digits that no other socket has. Of its own for every socket, because a ROUTER ignores
  /// a second peer with an identity that it knows, and an old connection may be half open still.
  std::string fresh_routing_id();

  /// "inproc://..." for a monitor, new at each call.
  std::string fresh_monitor_address();

 private:
  context(platform& host, rpc::transport::limits bounds) : host_(host), bounds_(bounds) {}

  platform& host_;
  rpc::transport::limits bounds_;
  void* handle_ = nullptr;
  counters counts_;
  zmq::reasons reasons_;
  std::atomic<std::uint64_t> monitors_{0};
};

}  // namespace mailroom::transports::zmq
