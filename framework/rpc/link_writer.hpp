#pragma once

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/rpc/transport.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace mailroom::rpc {

/// Collects the messages for one peer and lets all that is pending leave as one frame, at the end
/// of the loop's pass or when the frame is full. Never waits for more to come. Used on the loop's
/// thread.
class link_writer final : public executors::event_loop::source {
 public:
  /// Whether a frame should not wait for more, so that the peer works on it while we fill the next
  /// one. Not too early: what libzmq costs is its system calls, which the messages of a frame
  /// share.
  static bool is_full(const wire::batch& frame) noexcept {
    return frame.size() >= large_frame ||
           (frame.size() >= worth_a_frame && frame.count() >= several);
  }

  link_writer(executors::event_loop& loop, wire::plane on) noexcept
      : source(executors::event_loop::phase::output), loop_(loop), pending_(on) {}
  ~link_writer() { loop_.forget(*this); }

  /// The batch to write a message into; call `written` after it.
  wire::batch& pending() {
    if (pending_.empty() && last_frame_ > worth_reserving) {
      pending_.reserve(last_frame_);  // The next one will be like the last.
    }
    return pending_;
  }
  /// Messages that another thread wrote, in place of writing them here. `written` follows.
  void append(wire::batch&& more) {
    if (pending_.empty()) {
      pending_ = std::move(more);
    } else {
      pending_.append(more);
    }
  }
  void written() noexcept {
    if (is_full(pending_)) {
      flush();
    } else {
      loop_.ready(*this);
    }
  }

  /// The message that was finished last, of so many bytes, needs credit. Before `written`.
  void charge(std::size_t bytes) noexcept {
    ++price_.messages;
    price_.bytes += static_cast<std::int64_t>(bytes);
  }
  /// From now on, frames with messages that need credit leave while there is some. Before `open`.
  void limit(std::uint32_t messages, std::uint64_t bytes) noexcept {
    credit_ = {messages, static_cast<std::int64_t>(std::min(bytes, most_credit))};
  }
  /// The peer gives more.
  void grant(std::uint32_t messages, std::uint64_t bytes) noexcept {
    credit_.messages += messages;
    credit_.bytes += static_cast<std::int64_t>(std::min(bytes, most_credit));
    loop_.ready(*this);
  }

  /// From now on frames leave through `to`.
  void open(link& to) noexcept {
    link_ = &to;
    flush();
  }
  /// What is queued is dropped; further messages are too, at the next flush.
  void close() noexcept;

  /// What has been written leaves; what is written from now on waits for `release`.
  void hold();
  void release() noexcept;

  void on_writable() noexcept { flush(); }
  void flush() noexcept;

  /// Messages written so far, and how many of these have left for the link.
  std::uint64_t written_messages() const noexcept { return taken_ + pending_.count(); }
  std::uint64_t sent_messages() const noexcept { return sent_; }

  /// Bytes that have not reached the network: written, queued here, or accepted by the link.
  std::size_t backlog() const noexcept {
    return pending_.size() + queued_bytes_ + (link_ != nullptr ? link_->unsent_bytes() : 0);
  }

 private:
  static constexpr std::size_t worth_a_frame = std::size_t{32} << 10U;  // Bytes.
  static constexpr std::uint32_t several = 8;                           // Messages.
  static constexpr std::size_t large_frame = std::size_t{256} << 10U;   // Bytes.
  static constexpr std::size_t worth_reserving = 1024;                  // Bytes.

  static constexpr std::uint64_t most_credit = std::uint64_t{1} << 60U;

  struct amount {
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
  };
  struct queued_frame {
    wire::buffer bytes;
    amount price;
  };

  void on_ready() noexcept override { flush(); }
  bool send(wire::buffer& frame);
  void queue(wire::buffer frame);
  // What one frame takes too much it owes.
  bool can_pay(const amount& price) const noexcept {
    return price.messages == 0 || (credit_.messages > 0 && credit_.bytes > 0);
  }
  void pay(const amount& price) noexcept {
    credit_.messages -= price.messages;
    credit_.bytes -= price.bytes;
  }

  executors::event_loop& loop_;
  link* link_ = nullptr;
  bool closed_ = false;
  bool held_ = false;
  wire::batch pending_;
  amount price_;  // Of what is pending.
  amount credit_{most_credit, most_credit};
  std::deque<queued_frame> queue_;  // Frames that the link refused, that are held or lack credit.
  std::size_t may_leave_ = 0;       // So many of them, while the others are held.
  std::size_t queued_bytes_ = 0;
  std::size_t last_frame_ = 0;  // Bytes.
  std::uint64_t taken_ = 0;     // Messages, into frames.
  std::uint64_t sent_ = 0;      // Of these.
};

}  // namespace mailroom::rpc
