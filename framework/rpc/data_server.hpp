#pragma once

#include <mailroom/framework/rpc/answer_store.hpp>
#include <mailroom/framework/rpc/caller.hpp>
#include <mailroom/framework/rpc/dispatcher.hpp>
#include <mailroom/framework/rpc/session_table.hpp>
#include <mailroom/framework/rpc/transport.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace mailroom::rpc {

class inbound_session;

/// What arrives on the data plane, counted once each.
struct inbound_counters {
  std::atomic<std::uint64_t> frames{0};
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> casts{0};
  std::atomic<std::uint64_t> expired{0};
  std::atomic<std::uint64_t> refused{0};     ///< Those expired and unroutable included.
  std::atomic<std::uint64_t> unroutable{0};  ///< Nobody here serves what they name.
  std::atomic<std::uint64_t> duplicate{0};   ///< Answered with the call whose key they carry.
  std::atomic<std::uint64_t> cancelled{0};   ///< Given up before they came.
  std::atomic<std::uint64_t> garbage{0};     ///< Links closed because they spoke something else.
  std::atomic<std::uint64_t> cut_off{0};  ///< Links closed because they did not read their answers.
};

/// The serving side of the data plane on one loop: turns frames into calls and hands them to their
/// endpoints. Lives on the loop's thread, but for what is marked.
class data_server final : public acceptor {
 public:
  /// `answers` knows duplicates of idempotent calls; null: each runs.
  data_server(executors::event_loop& loop,
              const dispatcher& endpoints,
              const session_table& sessions,
              const caller::limits& bounds,
              answer_store* answers = nullptr,
              const vigil* awake = nullptr);
  ~data_server();

  link_observer* on_accept(link& opened) noexcept override;

  /// Ends the session's links. Of its calls those that wait are dropped, those that run see their
  /// stop token; answers vanish. Casts stay.
  void drop(const session_id& session) noexcept;

  /// The session's peer waits no more for calls that it sent to this loop, or will have sent when
  /// they come.
  void cancel(const session_id& session, std::span<const wire::cancel> calls);

  /// From now on every arriving call is refused with `errc::stopping`. @threadsafe
  void stop_accepting() noexcept { accepting_.store(false, std::memory_order_release); }

  /// Bytes of large answers that have not left.
  std::size_t large_backlog() const noexcept;

  /// Sends what is pending and closes all links.
  void close() noexcept;

  /// @threadsafe
  const inbound_counters& counts() const noexcept { return counters_; }
  /// Attached links. @threadsafe
  std::size_t peers() const noexcept { return peers_.load(std::memory_order_relaxed); }

 private:
  friend class inbound_session;

  void gone(inbound_session& ended) noexcept;

  executors::event_loop& loop_;
  const dispatcher& endpoints_;
  const session_table& sessions_;
  const caller::limits limits_;
  answer_store* const answers_;
  const vigil* const awake_;  // Null: nobody gives this process up.
  inbound_counters counters_;
  std::atomic<bool> accepting_{true};
  std::atomic<std::size_t> peers_{0};
  std::map<inbound_session*, std::unique_ptr<inbound_session>> links_;
};

}  // namespace mailroom::rpc
