#pragma once

#include <mailroom/transports/zmq/context.hpp>

#include <mailroom/framework/executors/event_loop.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mailroom::transports::zmq {

/// A libzmq socket with what all of ours have in common. It lives on one loop's thread.
class socket {
 public:
  /// `type` as ZMQ_ROUTER. Throws std::system_error when there are no descriptors left.
  socket(std::shared_ptr<context> in, int type);
  ~socket();

  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;

  void* handle() const noexcept { return handle_; }
  context& of() const noexcept { return *context_; }
  const std::shared_ptr<context>& share_context() const noexcept { return context_; }

  void set(int option, int value);
  void set(int option, const std::string& value);
  int get(int option) const;
  std::string get_text(int option) const;

  /// Limits, keepalive and patience for links over a network, from the context's bounds.
  void set_up_for_network();

 private:
  std::shared_ptr<context> context_;
  void* handle_ = nullptr;
};

/// Makes `who` ready when a libzmq descriptor becomes readable. Such a descriptor tells only of
/// *changes*: arm the watch when the socket has said EAGAIN, never before. Loop thread only.
class watch {
 public:
  watch(executors::event_loop& on, const socket& of, executors::event_loop::source& who);
  ~watch();

  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;

  /// For one event; does nothing while armed.
  void arm();
  bool armed() const noexcept { return state_->armed; }

 private:
  // Shared with the handler that asio keeps, which may outlive the watch.
  struct state {
    executors::event_loop& loop;
    executors::event_loop::source* who;
    bool armed = false;
  };

  std::shared_ptr<state> state_;
  boost::asio::posix::stream_descriptor descriptor_;
};

/// What libzmq's I/O thread reports about the connections of a socket. It would stop that thread,
/// and all connections with it, if nobody read the reports: there is no limit on how many wait, and
/// they are read first.
class monitor {
 public:
  struct event {
    std::uint16_t what = 0;  ///< ZMQ_EVENT_...
    std::int32_t value = 0;  ///< A descriptor, an errno or a protocol error, depending on `what`.
  };

  /// Before `watched` binds or connects. `watched` must outlive it.
  monitor(socket& watched, int events);
  ~monitor();

  std::optional<event> next();
  const socket& reports() const noexcept { return reports_; }

 private:
  socket& watched_;
  socket reports_;
};

/// Blocks until there is something to read from one of them, at most that long. For the very end
/// only.
void wait_for(const socket& one, const socket& other, duration at_most);

}  // namespace mailroom::transports::zmq
