#pragma once

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>

namespace mailroom::transports::local {

/// Bytes that may wait for a reader before `send` refuses; there is room again below half of it.
inline constexpr std::size_t most_unread = std::size_t{8} << 20;

/// Who is to be told, and where. An end takes itself out, under the lane's mutex, before it goes,
/// so that a neighbour on another thread never tells a dead one.
struct waiter {
  executors::event_loop* loop = nullptr;
  executors::event_loop::source* source = nullptr;

  void tell() const noexcept {
    if (source == nullptr) {
      return;
    }
    if (loop->on_loop_thread()) {
      loop->ready(*source);
    } else {
      loop->notify(*source);
    }
  }
};

/// One direction of a link: frames on their way from one end to the other.
/// @threadsafe
class lane {
 public:
  /// Takes `written`, or leaves it and remembers to tell the writer.
  bool put(wire::buffer& written);

  /// Moves what waits to the back of `into`; returns whether the writer has closed, so that nothing
  /// follows.
  bool take(std::deque<wire::frame>& into);

  /// The reader is done with `bytes` that it took.
  void taken(std::size_t bytes);

  void set_reader(waiter who);
  void set_writer(waiter who);

  /// The writer leaves. What waits is still delivered if `flush`.
  void close_writer(bool flush);
  /// The reader leaves. What waits is gone; what is sent from now on is discarded.
  void close_reader();

  std::size_t unread() const noexcept { return unread_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::deque<wire::frame> frames_;       // Guarded by mutex_.
  waiter reader_;                        // Guarded by mutex_.
  waiter writer_;                        // Guarded by mutex_.
  bool refused_ = false;                 // Guarded by mutex_.
  bool writer_gone_ = false;             // Guarded by mutex_.
  bool reader_gone_ = false;             // Guarded by mutex_.
  std::atomic<std::size_t> unread_ = 0;  // Written under mutex_.
};

}  // namespace mailroom::transports::local
