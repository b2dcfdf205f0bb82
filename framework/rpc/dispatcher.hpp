#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/instances.hpp>
#include <mailroom/framework/rpc/target.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
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
  /// the topic is new here. They must outlive the dispatcher.
  bool add(std::shared_ptr<const target> served,
           std::vector<activation*> instances,
           sharing how = sharing::balanced);
  bool add(const target& served, activation& at) {
    return add(std::make_shared<const target>(served), {&at});
  }

  /// Exchange and topic of all that is served.
  std::vector<std::pair<std::string, std::string>> topics() const;

  /// Finds the method that a route names. Endpoints of the topic are asked in the order they were
  /// added; the first that answers to the namespace, covers the version and has the method wins
  /// (Oslo Messaging: RPCDispatcher). Errors: `no_server` (nobody serves the topic),
  /// `no_such_namespace`, `unsupported_version`, `no_such_method`; the message names what there is.
  result<found> find(const wire::route& asked) const;

  /// Grows with every change, so that who keeps what was found knows when to ask again.
  std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }

  /// Calls `see` with the instances of each endpoint, by topic, in the order they were added.
  void each(
      const std::function<void(const target&, std::span<activation* const> instances)>& see) const;

 private:
  struct entry {
    std::shared_ptr<const target> served;  // The node's own: an idle endpoint should cost little.
    activation* at;                        // The first instance.
    std::unique_ptr<instance_group> all;   // Null: there is no other.

    std::span<activation* const> instances() const noexcept {
      return all ? all->all() : std::span<activation* const>(&at, 1);
    }
  };

  mutable std::shared_mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::vector<entry>> topics_;  // Guarded by mutex_.
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace mailroom::rpc
