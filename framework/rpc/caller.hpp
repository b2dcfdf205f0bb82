#pragma once

#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/rpc/chunk_sender.hpp>
#include <mailroom/framework/rpc/link_writer.hpp>
#include <mailroom/framework/rpc/vigil.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace mailroom::rpc {

/// Whoever sent us calls: where the answers go. Shared by the calls that are not answered yet;
/// outlives its link, and after that answers vanish (the peer knows that it is gone).
class caller final : public ref_counted<caller>, private executors::event_loop::source {
 public:
  struct limits {
    std::uint32_t in_flight = 65'536;               ///< Calls admitted and not answered.
    std::size_t backlog = std::size_t{64} << 20U;   ///< Bytes of answers not taken by the peer.
    std::size_t max_body = std::size_t{32} << 20U;  ///< Bytes of one body.
    /// Bytes of calls and casts that may be under way to us, if the peer goes by credit.
    std::uint64_t credit_bytes = std::uint64_t{16} << 20U;
  };

  caller(executors::event_loop& loop, const limits& bounds);

  /// The batch that the calling thread writes its next answer into: the link's own on the loop's
  /// thread, elsewhere one that leaves at the end of the thread's turn. After each message call
  /// `written`.
  /// @threadsafe
  wire::batch& answers();
  void written();

  /// Hands over what this thread wrote elsewhere than on the loop. Called at the end of each turn.
  static void end_of_turn() noexcept;

  /// Delays handing over to `end_of_turn`; without it each answer leaves by itself.
  static void begin_of_turn() noexcept;

  /// Whether an answer with a body of so many bytes leaves in chunks. @threadsafe after `open`
  bool wants_chunks(std::size_t body) const noexcept {
    return chunks_ != nullptr && chunk_sender::is_large(body);
  }
  /// Takes the answer to call `id` out of the batch where it was written last, in place of
  /// finishing it there. Instead of `written`. @threadsafe
  void write_in_chunks(wire::batch& batch, std::uint64_t id, deadline until);

  const limits& bounds() const noexcept { return limits_; }

  /// Its connection has ended. @threadsafe
  bool has_gone() const noexcept { return closed_.load(std::memory_order_relaxed); }

  /// This process has stood still since the session began, and for so long that the caller has
  /// given it up. @threadsafe after `open`
  bool is_given_up(time_point now) const noexcept {
    return vigil_ != nullptr && vigil_->at(now) != epoch_;
  }

  // The rest: on the loop's thread only.

  /// `after_answers` is made ready when there are answers, to look at the backlog once a pass; null
  /// for nobody.
  void open(link& to, std::string name, executors::event_loop::source* after_answers = nullptr);
  /// The session began in this epoch; before `open`.
  void watch(const vigil& by, vigil::epoch began) noexcept {
    vigil_ = &by;
    epoch_ = began;
  }
  /// Large answers leave in chunks; before `open`.
  void use_chunks() { chunks_ = std::make_unique<chunk_sender>(writer_); }
  /// The peer has taken so many bytes of chunks.
  void taken(std::uint64_t bytes) {
    if (chunks_ != nullptr) {
      chunks_->taken(bytes, loop_.now());
    }
  }
  /// Bytes of large answers that have not left.
  std::size_t large_backlog() const noexcept { return chunks_ != nullptr ? chunks_->backlog() : 0; }
  void close() noexcept;
  link_writer& writer() noexcept { return writer_; }
  const std::string& name() const noexcept { return name_; }

  /// Counts a call in, if there is room for one more.
  bool admit() noexcept {
    if (in_flight_ >= limits_.in_flight) {
      return false;
    }
    ++in_flight_;
    return true;
  }
  /// Instead of `written`, for the refusal of a call that was not admitted: it gives no place back.
  void written_unadmitted() noexcept { written_here(); }
  std::uint32_t in_flight() const noexcept { return in_flight_; }

  /// The peer does not read what it asked for and must be cut off.
  bool over_backlog() const noexcept {
    return writer_.backlog() + large_backlog() > limits_.backlog;
  }

 private:
  friend class outbox;
  friend class ref<caller>;
  struct part;

  static void dispose(caller* last) noexcept;
  void written_here() noexcept;

  ~caller() override;  // On the loop's thread: see `dispose`.

  void on_ready() noexcept override;
  void hand_over(wire::batch&& written) noexcept;
  void send_large(chunk_sender::large_body what);

  executors::event_loop& loop_;
  const limits limits_;
  std::string name_;
  link_writer writer_;
  std::uint32_t in_flight_ = 0;
  std::atomic<bool> closed_{false};
  vigil::epoch epoch_ = vigil::none;
  const vigil* vigil_ = nullptr;  // Null: nobody gives it up.
  executors::event_loop::source* after_answers_ = nullptr;
  std::unique_ptr<chunk_sender> chunks_;  // Null: the peer does not know them.
  std::atomic<part*> parts_{
      nullptr};  // From other threads, newest first. Each keeps a reference to this.
};

}  // namespace mailroom::rpc
