#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mailroom::transports::zmq {

/// Owns what lives until it says itself that it is done: dialled links, and ports that are closed
/// but whose last words are still on their way.
/// @threadsafe
template <class T>
class keeper {
 public:
  void add(std::shared_ptr<T> one) {
    const std::lock_guard held(mutex_);
    T* const key = one.get();
    kept_.emplace(key, std::move(one));
  }

  void remove(T& one) {
    typename map::node_type removed;  // Let go outside of the lock.
    const std::lock_guard held(mutex_);
    removed = kept_.extract(&one);
  }

  std::vector<std::shared_ptr<T>> all() const {
    const std::lock_guard held(mutex_);
    std::vector<std::shared_ptr<T>> found;
    for (const auto& [key, one] : kept_) {
      found.push_back(one);
    }
    return found;
  }

 private:
  using map = std::unordered_map<T*, std::shared_ptr<T>>;

  mutable std::mutex mutex_;
  map kept_;  // Guarded by mutex_.
};

}  // namespace mailroom::transports::zmq
