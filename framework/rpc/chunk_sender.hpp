#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/rpc/chunk_pace.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>

namespace mailroom::rpc {

class link_writer;

/// The large bodies that leave by one link, one after the other, in chunks: at the pace at which
/// the peer takes them, so that what is small does not wait behind them. On the loop's thread.
class chunk_sender final {
 public:
  explicit chunk_sender(link_writer& through) noexcept : writer_(through) {}

  /// Whether a body of so many bytes should leave in chunks.
  static bool is_large(std::size_t body) noexcept { return body > (std::size_t{256} << 10U); }

  struct large_body {
    std::uint64_t id;  ///< Of the call, or 0.
    wire::buffer bytes;
    wire::batch rest;    ///< What follows it: the message that it is the payload of, without it.
    std::size_t price;   ///< Bytes of `rest` that need credit; 0: none does.
    deadline until;      ///< Nobody waits for it any longer.
    std::size_t at = 0;  ///< The next byte to leave.
  };
  /// The message that was written last into `batch`, which it leaves, as a large body.
  static large_body take_out_of(wire::batch& batch, std::uint64_t id, deadline until);

  void send(large_body what, time_point now);

  /// The peer has taken so many bytes more.
  void taken(std::uint64_t bytes, time_point now);

  /// Bytes that have not been written.
  std::size_t backlog() const noexcept { return backlog_; }

  /// Nothing more leaves.
  void close() noexcept;

 private:
  struct departure {
    std::uint64_t end;  // Of all bytes that ever left, so many had then.
    time_point at;
  };

  void go_on(time_point now);
  void write_chunk(large_body& of, time_point now);

  link_writer& writer_;
  std::deque<large_body> bodies_;
  std::size_t backlog_ = 0;
  std::uint64_t left_ = 0;   // Bytes, ever.
  std::uint64_t taken_ = 0;  // Of these.
  std::deque<departure> under_way_;
  chunk_pace pace_;
};

}  // namespace mailroom::rpc
