#pragma once

#include <condition_variable>
#include <mutex>

namespace mailroom::tests {

/// What handlers that hang wait for: blocks their threads until it is opened.
class gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;  // Guarded by mutex_.
};

}  // namespace mailroom::tests
