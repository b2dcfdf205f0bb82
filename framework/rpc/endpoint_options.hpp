#pragma once

#include <mailroom/framework/rpc/queue_policy.hpp>

#include <cstddef>
#include <optional>

namespace mailroom {

/// What a deployment says about an endpoint; outranks what its code says. What is empty stays as it
/// is there.
struct endpoint_options {
  /// See `endpoint_builder::queue_limit`. From 1 to `most_queued`.
  std::optional<std::size_t> queue_limit = {};
  std::optional<mailroom::queue_policy> queue_policy = {};

  /// See `endpoint_builder::instances`. More than one only where the code says that there may be
  /// more: a class that keeps something by itself would do wrong. At most `most_instances`.
  std::optional<std::size_t> instances = {};

  static constexpr std::size_t most_queued = 1'000'000'000;
  static constexpr std::size_t most_instances = 1024;
};

}  // namespace mailroom
