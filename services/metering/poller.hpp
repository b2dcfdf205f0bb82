#pragma once

#include <mailroom/services/metering/backlog.hpp>
#include <mailroom/services/metering/counters.hpp>
#include <mailroom/services/metering/proc_reader.hpp>
#include <mailroom/services/metering/signal.hpp>

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/context.hpp>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace mailroom::metering {

/// Reads the meters of a host, again and again, and sends them to the collector. What the collector
/// has not confirmed is kept, within bounds, and sent again: it knows samples that it has already.
class poller {
 public:
  struct options {
    /// A /proc, or a folder of recorded snapshots: then those are sent, in order and with their own
    /// times, as fast as the collector takes them, and nothing is dropped.
    std::filesystem::path proc_root = "/proc";
    duration interval = std::chrono::seconds(1);
    duration ends_after = duration::zero();  ///< Zero: when it is told to.
    std::size_t keep = 100'000;              ///< Samples, while the collector is away.
    std::filesystem::path record = {};  ///< Write snapshots into this folder, and send nothing.
  };

  explicit poller(options with) : options_(std::move(with)), kept_(options_.keep) {}

  /// The poller's life; ends by itself after `ends_after` or the last snapshot, else after `stop`.
  /// Throws `call_error` if it cannot go on: nothing to read, a snapshot that the collector
  /// refuses.
  task<void> run(context& ctx);

  /// @threadsafe
  void stop() noexcept;

  /// Samples that the collector has not confirmed. After `run`.
  std::size_t undelivered() const noexcept { return kept_.size(); }

 private:
  task<void> record();
  task<void> replay(client to, std::vector<std::int64_t> moments);
  task<void> poll();
  task<void> deliver(client to);
  task<result<void>> send_oldest(client to);
  void take(const proc_snapshot& snapshot);
  void collector_is(bool here, const std::string& why);

  bool ends() const noexcept { return stopping_.load(std::memory_order_acquire); }

  options options_;
  std::atomic<bool> stopping_{false};
  signal tick_;  // For who reads.
  signal more_;  // For who sends.
  bool read_all_ = false;
  bool away_ = false;
  cpu_utilization cpu_;
  backlog kept_;
};

}  // namespace mailroom::metering
