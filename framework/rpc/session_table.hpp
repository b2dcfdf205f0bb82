#pragma once

#include <mailroom/framework/rpc/vigil.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
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
    /// When it began. `none`: with this process itself, which is never given up.
    vigil::epoch began = vigil::none;
    bool credits = false;  ///< It sends calls as long as it has credit,
    bool chunks = false;   ///< and large bodies in pieces, as we do.
    std::shared_ptr<clocks> relation = std::make_shared<clocks>();
    /// Data links that are attached, one for each I/O loop that the peer uses.
    std::shared_ptr<std::atomic<std::size_t>> links = std::make_shared<std::atomic<std::size_t>>(0);
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
  /// How many of `these` have a data link.
  std::size_t attached(std::span<const session_id> these) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(these.begin(), these.end(), [this](const session_id& each) {
          const auto at = sessions_.find(each);
          return at != sessions_.end() && at->second.links->load(std::memory_order_relaxed) != 0;
        }));
  }
  /// Those with a data link.
  std::size_t attached() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(sessions_.begin(), sessions_.end(), [](const auto& each) {
          return each.second.links->load(std::memory_order_relaxed) != 0;
        }));
  }

 private:
  mutable std::mutex mutex_;
  std::map<session_id, session> sessions_;  // Guarded by mutex_.
};

}  // namespace mailroom::rpc
