#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/block_cache.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/balance.hpp>
#include <mailroom/framework/rpc/call_chain.hpp>
#include <mailroom/framework/rpc/retry_budget.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/envelope.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mailroom::rpc {

class connector;
class outbound_link;

/// The servers of one topic, as the connector knows them. Its address never changes.
struct topic_servers {
  std::string exchange;
  std::string topic;
  std::vector<outbound_link*> ready;  ///< Loop thread only.
  std::size_t stuck = 0;              ///< Others, where it does not move. Loop thread only.
  /// `ready` in turn, each as often as its weight says; empty: all alike. Loop thread only.
  std::vector<outbound_link*> shares;
  std::size_t turn = 0;                   ///< Round robin. Loop thread only.
  bool known = false;                     ///< `ready` has been looked up. Loop thread only.
  std::atomic<std::size_t> count{1};      ///< Of both, for any thread; a guess until known.
  connector* home = nullptr;              ///< Whose they are.
  retry_budget budget;                    ///< Loop thread only.
  std::unique_ptr<const hash_ring> ring;  ///< Of `ready`; null until wanted. Loop thread only.
  /// A directory has still to say who serves it, or a connection to come up. Written by the loop's
  /// thread, but for the first time.
  std::atomic<bool> awaited{false};
  /// Who serves it has been told as far as one can wait for, and calls may go to one of those. Loop
  /// thread only, as until when they wait for that.
  bool may_choose = false;
  time_point choose_at = time_point::max();
};

/// The name of a method at a target, made once and then compared and sent by number.
struct method_name {
  wire::route names;  ///< Its `number` is the node's own; each link has numbers of its own.
  topic_servers* servers = nullptr;
  mutable std::atomic<bool> idempotent{false};  ///< A server has said so.
};

/// How a call goes, beside to what.
struct call_settings {
  deadline until;
  std::uint64_t spread_by = 0;          ///< The key's hash, for `balance::by_key`.
  std::optional<bool> idempotent = {};  ///< Empty: as the method's servers say.
  bool wait_for_ready = false;
  std::uint8_t priority = 0;
  std::uint8_t retries = 2;  ///< How often it may be tried again by itself.
  balance among = balance::round_robin;
};

/// A message that is on its way out, or that is out and waits for its answer. Shared by who waits
/// and the connector.
class pending_call final : public async::completion, public ref_counted<pending_call> {
 public:
  enum class kind : std::uint8_t { call, cast, fanout };

  pending_call(const method_name& method, kind sort, const call_settings& with)
      : what(method),
        until(with.until),
        spread_by(with.spread_by),
        how(sort),
        wait_for_ready(with.wait_for_ready),
        keyed(with.idempotent.value_or(method.idempotent.load(std::memory_order_relaxed))),
        among(with.among),
        priority(with.priority),
        retries(with.retries) {}

  static void* operator new(std::size_t) { return block_cache<sizeof(pending_call)>::take(); }
  static void operator delete(void* memory) noexcept {
    block_cache<sizeof(pending_call)>::give_back(memory);
  }

  /// The end of it, one way or the other; only the first counts. Loop thread, or before it was
  /// submitted.
  void fail(error why) {
    failure = std::move(why);
    complete();
  }
  void succeed(const wire::frame& holding, std::span<const std::byte> body) noexcept {
    frame = holding;
    payload = body;
    complete();
  }

  const method_name& what;
  const deadline until;
  const std::uint64_t spread_by;
  const kind how;
  const bool wait_for_ready;
  const bool keyed;  ///< It may run twice, and its server can tell that it is the same.
  const balance among;
  const std::uint8_t priority;
  std::uint8_t retries;                  ///< Left. Loop thread only, as all up to `key`.
  std::uint8_t attempt = 0;              ///< Those before this one.
  std::array<std::uint32_t, 3> tried{};  ///< Sessions of the last attempts.
  std::uint64_t id = 0;                  ///< While it is out.
  std::uint64_t key = 0;                 ///< Once sent, if it is keyed.
  std::string server;                    ///< Only this one; empty: any.
  ref<call_chain> within;                ///< Null: nothing to tell.
  wire::buffer arguments;  ///< Encoded. Empty if they went straight into a frame and are not kept.

  /// Who still wants the answer (`wanted_call`).
  std::atomic<std::uint32_t> wanted_by{1};

  // Set before `complete`, read after it. Between attempts: what became of those before.
  std::optional<error> failure;
  wire::frame frame;
  std::span<const std::byte> payload;

  pending_call* next = nullptr;  ///< For the connector's queue.
};

}  // namespace mailroom::rpc
