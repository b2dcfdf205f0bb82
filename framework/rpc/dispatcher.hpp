#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/instances.hpp>
#include <mailroom/framework/rpc/target.hpp>
#include <mailroom/framework/wire/control.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mailroom::rpc {

class activation;
class method;

/// Who serves what on this node.
/// @threadsafe
class dispatcher {
 public:
  struct found {
    activation* at = nullptr;
    const method* what = nullptr;
    instance_group* among = nullptr;  ///< Who says which one; null: `at` is the only one.
  };

  /// Adds an endpoint, which has these instances (at least one), behind its target's topic; true if
  /// the topic is new here. They must outlive the dispatcher. A new topic is at home on the I/O
  /// loop `loop`: there its calls should arrive.
  bool add(std::shared_ptr<const target> served,
           std::vector<activation*> instances,
           sharing how = sharing::balanced,
           std::uint32_t loop = 0);
  bool add(const target& served, activation& at, std::uint32_t loop = 0) {
    return add(std::make_shared<const target>(served), {&at}, sharing::balanced, loop);
  }

  /// All that is served, and where it is at home.
  std::vector<wire::topic_home> topics() const;

  /// Where a topic is at home; none if it is not served.
  std::optional<std::uint32_t> loop_of(const std::string& exchange, const std::string& topic) const;

  /// Gives a topic of every exchange another home; true if one had another before.
  bool set_loop(const std::string& topic, std::uint32_t loop);

  /// Finds the method that a route names. Endpoints of the topic are asked in the order they were
  /// added; the first that answers to the namespace, covers the version and has the method wins
  /// (Oslo Messaging: RPCDispatcher). Errors: `no_server` (nobody serves the topic),
  /// `no_such_namespace`, `unsupported_version`, `no_such_method`; the message names what there is.
  result<found> find(const wire::route& asked) const;

  /// Grows with every change, so that who keeps what was found knows when to ask again.
  std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }

  /// Calls `see` with the instances of each endpoint, by topic, in the order they were added, and
  /// the loop where the topic is at home.
  void each(
      const std::function<void(
          const target&, std::span<activation* const> instances, std::uint32_t loop)>& see) const;

 private:
  struct entry {
    std::shared_ptr<const target> served;  // The node's own: an idle endpoint should cost little.
    activation* at;                        // The first instance.
    std::unique_ptr<instance_group> all;   // Null: there is no other.

    std::span<activation* const> instances() const noexcept {
      return all ? all->all() : std::span<activation* const>(&at, 1);
    }
  };
  struct served_topic {
    std::uint32_t loop = 0;
    std::vector<entry> entries;  // Not empty.
  };

  static error what_is_missing(const std::vector<entry>& entries, const wire::route& asked);

  mutable std::shared_mutex mutex_;
  std::map<std::pair<std::string, std::string>, served_topic> topics_;  // Guarded by mutex_.
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace mailroom::rpc
