#pragma once

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/ref.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom::rpc {

/// Within which calls a call is made, the outermost first. Kept from the first exclusive endpoint
/// on: without one nothing can wait for itself. Immutable, so that any thread may look at it.
class call_chain final : public ref_counted<call_chain> {
 public:
  explicit call_chain(std::vector<wire::chain_link> links) noexcept : links_(std::move(links)) {}

  const std::vector<wire::chain_link>& links() const noexcept { return links_; }

  /// The last call of that endpoint, and the numbers from `oldest` on; null if there is none.
  const wire::chain_link* find(std::uint64_t endpoint, std::uint64_t oldest) const noexcept;

  /// "orders.place → stock.reserve → orders.check": from that call on, and at last `back`.
  std::string path_from(const wire::chain_link& first, std::string_view back) const;

 private:
  const std::vector<wire::chain_link> links_;
};

/// What a handler's calls tell of it. The chain is made when the first of them wants it. Used by
/// its flow and the parts of it only, one at a time.
class call_origin final : public async::lineage {
 public:
  call_origin(ref<call_chain> outer,
              std::uint64_t endpoint,
              std::uint64_t number,
              std::string_view name)
      : outer_(std::move(outer)), endpoint_(endpoint), number_(number), name_(name) {}

  const ref<call_chain>& chain() const;

  /// The chain of a call that is made now on this thread; null if there is none to tell.
  static ref<call_chain> of_this_flow();

 private:
  ref<call_chain> outer_;
  std::uint64_t endpoint_;
  std::uint64_t number_;
  std::string_view name_;  // The method's, which outlives its calls.
  mutable ref<call_chain> made_;
};

}  // namespace mailroom::rpc
