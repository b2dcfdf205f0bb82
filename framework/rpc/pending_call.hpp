#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/block_cache.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/call_chain.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/envelope.hpp>
#include <mailroom/framework/wire/frame.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mailroom::rpc {

class outbound_link;

/// The servers of one topic, as the connector knows them. Its address never changes.
struct topic_servers {
  std::string exchange;
  std::string topic;
  std::vector<outbound_link*> ready;  ///< Loop thread only.
  std::size_t stuck = 0;              ///< Others, where it does not move. Loop thread only.
  std::size_t turn = 0;               ///< Round robin. Loop thread only.
  bool known = false;                 ///< `ready` has been looked up. Loop thread only.
  std::atomic<std::size_t> count{1};  ///< Of both, for any thread; a guess until known.
  /// A directory has still to say who serves it, or a connection to come up. Written by the loop's
  /// thread, but for the first time.
  std::atomic<bool> awaited{false};
};

/// The name of a method at a target, made once and then compared and sent by number.
struct method_name {
  wire::route names;  ///< Its `number` is the node's own; each link has numbers of its own.
  topic_servers* servers = nullptr;
};

/// A message that is on its way out, or that is out and waits for its answer. Shared by who waits
/// and the connector.
class pending_call final : public async::completion, public ref_counted<pending_call> {
 public:
  enum class kind : std::uint8_t { call, cast, fanout };

  pending_call(const method_name& method, kind sort, deadline ends, bool wait)
      : what(method), until(ends), how(sort), wait_for_ready(wait) {}

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
  const kind how;
  const bool wait_for_ready;
  std::uint8_t priority = 0;
  std::string server;      ///< Only this one; empty: any.
  ref<call_chain> within;  ///< Null: nothing to tell.
  wire::buffer arguments;  ///< Encoded, unless they went straight into a frame.

  // Set before `complete`, read after it.
  std::optional<error> failure;
  wire::frame frame;
  std::span<const std::byte> payload;

  pending_call* next = nullptr;  ///< For the connector's queue.
};

}  // namespace mailroom::rpc
