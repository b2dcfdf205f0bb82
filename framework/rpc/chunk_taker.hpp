#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/envelope.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace mailroom::rpc {

/// Puts the chunks that arrive by one link together: one body at a time. On the loop's thread.
class chunk_taker final {
 public:
  /// A chunk. `protocol_error` if it is not the next one, or of a body larger than `max_body`.
  result<void> take(const wire::message& chunk, std::size_t max_body) {
    wire::chunk_head head;
    if (!wire::chunk_head::read(chunk.head, head)) {
      return error(errc::protocol_error, "chunk with fixed fields too short");
    }
    if (head.offset == 0) {
      body_.clear();  // One that was not finished is not finished any more.
      id_ = head.id;
      total_ = head.total;
    }
    if (head.total > max_body || head.total == 0 || chunk.payload.empty()) {
      return error(errc::protocol_error, "chunk of a body that nobody takes");
    }
    if (head.id != id_ || head.total != total_ || head.offset != body_.size() ||
        chunk.payload.size() > total_ - body_.size()) {
      return error(errc::protocol_error, "chunk that does not follow the one before");
    }
    body_.append(chunk.payload);
    taken_ += chunk.payload.size();
    return {};
  }

  /// The body of the message `id`, if all of it has come. It is given once.
  std::optional<wire::frame> body_of(std::uint64_t id) {
    if (total_ == 0 || id != id_ || body_.size() != total_) {
      return std::nullopt;
    }
    total_ = 0;
    return wire::frame(std::exchange(body_, wire::buffer()));
  }

  /// Bytes taken since it was asked last.
  std::uint64_t take_count() noexcept { return std::exchange(taken_, 0); }

 private:
  wire::buffer body_;
  std::uint64_t id_ = 0;
  std::uint64_t total_ = 0;  // 0: there is none.
  std::uint64_t taken_ = 0;
};

}  // namespace mailroom::rpc
