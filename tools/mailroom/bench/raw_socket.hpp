#pragma once

#include <mailroom/framework/base/error.hpp>
#include <mailroom/framework/base/result.hpp>

#include <zmq.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

/// The baseline: libzmq by itself, one message for each request, with nothing around it.
namespace mailroom::bench::raw {

/// `errc::invalid_value` for an address that is none, `errc::io` for everything else.
inline error zmq_error(const std::string& what) {
  const bool misspelt = zmq_errno() == EINVAL || zmq_errno() == EPROTONOSUPPORT;
  return error(misspelt ? errc::invalid_value : errc::io, what + ": " + zmq_strerror(zmq_errno()));
}

/// What a server answers to an empty message.
struct server_stats {
  std::uint64_t cpu_ns = 0;
  std::uint64_t received = 0;
};

class context {
 public:
  context() : raw_(zmq_ctx_new()) {}
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() { zmq_ctx_term(raw_); }
  void* raw() const noexcept { return raw_; }

 private:
  void* raw_;
};

class socket {
 public:
  socket(const context& in, int type) : raw_(zmq_socket(in.raw(), type)) {
    const int none = 0;
    zmq_setsockopt(raw_, ZMQ_LINGER, &none, sizeof none);
    // The window bounds what is out; libzmq's own bound would cost the same and never be met.
    zmq_setsockopt(raw_, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(raw_, ZMQ_RCVHWM, &none, sizeof none);
  }
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;
  ~socket() { zmq_close(raw_); }
  void* raw() const noexcept { return raw_; }

  /// Waits until there is something to receive; -1 ms: without end.
  bool wait(long milliseconds = -1) const noexcept {
    zmq_pollitem_t item{raw_, 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, milliseconds) > 0;
  }

 private:
  void* raw_;
};

/// Reused for one message after the other.
class message {
 public:
  message() noexcept { zmq_msg_init(&raw_); }
  message(const message&) = delete;
  message& operator=(const message&) = delete;
  ~message() { zmq_msg_close(&raw_); }

  /// False if there is nothing to receive.
  bool receive(const socket& from) noexcept {
    return zmq_msg_recv(&raw_, from.raw(), ZMQ_DONTWAIT) >= 0;
  }
  bool send(const socket& to, int flags = 0) noexcept {
    return zmq_msg_send(&raw_, to.raw(), flags | ZMQ_DONTWAIT) >= 0;
  }
  bool more() const noexcept { return zmq_msg_more(&raw_) != 0; }
  std::size_t size() const noexcept { return zmq_msg_size(&raw_); }
  std::span<std::byte> resize(std::size_t size) noexcept {
    zmq_msg_close(&raw_);
    zmq_msg_init_size(&raw_, size);
    return {static_cast<std::byte*>(zmq_msg_data(&raw_)), size};
  }
  std::byte* data() noexcept { return static_cast<std::byte*>(zmq_msg_data(&raw_)); }

 private:
  zmq_msg_t raw_;
};

}  // namespace mailroom::bench::raw
