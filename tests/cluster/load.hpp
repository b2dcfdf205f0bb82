#pragma once

#include <mailroom/tests/cluster/journal.hpp>

#include <mailroom/framework/base/config.hpp>
#include <mailroom/mailroom.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <vector>

namespace mailroom::tests {

/// Calls of one node to one topic, at a rate that no answer slows down, or as fast as answers come.
/// Each is written down twice: "sent ID TIME DEADLINE LOAD", "ended ID TIME OUTCOME EXECUTION".
class load {
 public:
  /// What it can be told, each as "NAME.what".
  static std::vector<option> settings(const std::string& name, const std::string& in_flight);

  load(const std::string& name, const config& settings, journal& into);

  /// Begins to call through `from`. The future is ready when the last call has ended.
  std::future<void> start(node& from);
  /// No more calls begin. @threadsafe
  void stop() noexcept { stopped_ = true; }

 private:
  task<void> run(context& ctx);
  task<void> pace(context& ctx);
  task<void> call_when_due(const client& to);

  const std::string name_;
  const std::string topic_;
  const std::string method_;
  const int milliseconds_;
  const std::vector<std::byte> payload_;
  const std::int64_t rate_;  // Calls in a second; 0: as fast as answers come.
  const std::size_t in_flight_;
  const std::int64_t count_;  // 0: until it is stopped.
  const duration timeout_;
  const bool wait_for_ready_;
  journal& journal_;
  channel<std::uint64_t> due_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace mailroom::tests
