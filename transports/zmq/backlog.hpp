#pragma once

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <zmq.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace mailroom::transports::zmq {

/// The bytes of one link that libzmq has taken and the network has not. libzmq's I/O thread
/// subtracts them when it gives a frame's memory back, which may be after the link has gone; the
/// last frame takes the backlog along.
class backlog {
 public:
  /// `who` is made ready when there is room again after a refusal.
  static backlog* make(executors::event_loop& on, executors::event_loop::source& who) {
    return new backlog(on, who);
  }

  /// The link goes. `this` may be gone afterwards; `who` is not called again.
  void let_go() noexcept;

  std::size_t unsent() const noexcept {
    return static_cast<std::size_t>(state_.load(std::memory_order_seq_cst) & bytes_mask);
  }

  /// Asked before each `wrap`. Link's thread only.
  bool has_room() noexcept;

  /// Makes `message` from `written` without a copy of its bytes; they count until libzmq is done
  /// with them.
  void wrap(wire::buffer& written, zmq_msg_t& message);

 private:
  backlog(executors::event_loop& on, executors::event_loop::source& who) : loop_(&on), who_(&who) {}

  // Lies behind the bytes of a frame if there is room, else beside them.
  struct tail {
    backlog* owner;
    std::size_t size;
  };

  static constexpr std::uint64_t one_reference = std::uint64_t{1} << 40;
  static constexpr std::uint64_t bytes_mask = one_reference - 1;

  static std::size_t tail_offset(std::size_t size) noexcept {
    return (size + alignof(tail) - 1) / alignof(tail) * alignof(tail);
  }
  static void give_back(void* data, void* hint) noexcept;
  void sent(std::size_t bytes) noexcept;
  void drop_reference() noexcept;

  // References (the link and each frame) in the upper 24 bits, bytes below: one addition for a
  // frame.
  std::atomic<std::uint64_t> state_{one_reference};
  std::atomic<bool> refused_{false};
  std::mutex mutex_;
  executors::event_loop* loop_;         // Guarded by mutex_.
  executors::event_loop::source* who_;  // Guarded by mutex_. Null when the link has gone.
};

/// A received message as the owner of its bytes.
class received final : public wire::frame::owner {
 public:
  received() noexcept { zmq_msg_init(&raw_); }
  ~received() override { zmq_msg_close(&raw_); }

  zmq_msg_t* raw() noexcept { return &raw_; }
  std::span<const std::byte> bytes() noexcept {
    return {static_cast<const std::byte*>(zmq_msg_data(&raw_)), zmq_msg_size(&raw_)};
  }

 private:
  zmq_msg_t raw_;
};

}  // namespace mailroom::transports::zmq
