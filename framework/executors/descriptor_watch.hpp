#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <unordered_map>

namespace mailroom::executors {

class watch_set;

/// What a descriptor is watched for.
enum class readiness : std::uint8_t {
  readable = 1,  ///< Or at its end, or broken: reading does not block.
  writable = 2,  ///< Or broken.
  either = 3,
};

/// Someone who wants to be told once when a descriptor is ready. It is not copied and not moved
/// while it watches; its owner ends the watch before it dies, and does not begin and end it from
/// two threads at once.
class descriptor_watch {
 public:
  descriptor_watch() noexcept = default;
  descriptor_watch(const descriptor_watch&) = delete;
  descriptor_watch& operator=(const descriptor_watch&) = delete;

  /// Called once for each watch that has begun, on the loop's thread as a rule. `failure`: it will
  /// never be ready, since it was closed and its number is another's now. Must be short, must not
  /// throw, must not begin or end watches.
  virtual void on_descriptor(std::error_code failure) noexcept = 0;

 protected:
  virtual ~descriptor_watch() = default;

 private:
  friend class watch_set;
  int descriptor_ = -1;  // -1: it does not watch. Guarded by the set's mutex, as the rest.
  readiness for_ = readiness::readable;
  descriptor_watch* newer_ = nullptr;
  descriptor_watch* older_ = nullptr;
};

/// Descriptors with those who watch them, in an epoll of its own: the descriptors' owners keep
/// them, with their flags, and others may watch the same ones elsewhere. Any number may watch one
/// descriptor. A descriptor is known here only while somebody watches it.
/// @threadsafe
class watch_set {
 public:
  /// Throws `std::system_error`.
  watch_set();
  /// All watches have ended.
  ~watch_set();
  watch_set(const watch_set&) = delete;
  watch_set& operator=(const watch_set&) = delete;

  /// Readable while `tell` has something to do.
  int descriptor() const noexcept { return epoll_; }

  /// `w` is told once, soon if it is ready now. An error of the system if it cannot be watched: a
  /// file, or not open.
  std::error_code begin(descriptor_watch& w, int descriptor, readiness what);

  /// After it returned `w` is not told any more, and the descriptor may be closed (it waits for one
  /// that is being told). Does nothing if it has been told.
  void end(descriptor_watch& w) noexcept;

  /// Tells some of those whose descriptors are ready. The loop's thread only.
  void tell() noexcept;

  /// Descriptors that somebody watches now.
  std::size_t size() const;

 private:
  // Who watches one descriptor, newest first.
  using watchers = std::unordered_map<int, descriptor_watch*>;

  std::error_code arm(int descriptor, const descriptor_watch& newest, int operation) noexcept;
  static void link(descriptor_watch*& newest, descriptor_watch& w) noexcept;
  static void unlink(descriptor_watch*& newest, descriptor_watch& w) noexcept;
  void settle(watchers::iterator at) noexcept;

  const int epoll_;
  mutable std::mutex mutex_;
  watchers watched_;  // None without watchers. Guarded by mutex_.
};

}  // namespace mailroom::executors
