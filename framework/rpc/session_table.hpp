#pragma once

#include <mailroom/framework/wire/envelope.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace mailroom::rpc {

using session_id = std::array<std::byte, 16>;  // wire::identity of a session.

/// Sessions that the control plane has opened and data links may attach to. What both planes share
/// about a peer.
/// @threadsafe
class session_table {
 public:
  /// From the peer's clock to ours, as the peer last measured it. Read for every frame, written
  /// with heartbeats.
  struct clocks {
    std::atomic<std::int64_t> offset{0};
    std::atomic<std::int64_t> error{0};

    void set(const wire::clock_relation& to) noexcept {
      offset.store(to.offset, std::memory_order_relaxed);
      error.store(to.error, std::memory_order_relaxed);
    }
    wire::clock_relation get() const noexcept {
      return {offset.load(std::memory_order_relaxed), error.load(std::memory_order_relaxed)};
    }
  };

  struct session {
    std::string node;  ///< The peer, as it calls itself.
    std::shared_ptr<clocks> relation = std::make_shared<clocks>();
  };

  void open(const session_id& id, session what) {
    const std::lock_guard lock(mutex_);
    sessions_.insert_or_assign(id, std::move(what));
  }
  void close(const session_id& id) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(id);
  }
  std::optional<session> find(const session_id& id) const {
    const std::lock_guard lock(mutex_);
    const auto at = sessions_.find(id);
    return at == sessions_.end() ? std::nullopt : std::optional(at->second);
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return sessions_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::map<session_id, session> sessions_;  // Guarded by mutex_.
};

}  // namespace mailroom::rpc
