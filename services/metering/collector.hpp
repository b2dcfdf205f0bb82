#pragma once

#include <mailroom/services/metering/sample.hpp>
#include <mailroom/services/metering/store.hpp>
#include <mailroom/services/metering/table.hpp>

#include <mailroom/framework/rpc/context.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::metering {

/// Where samples go, and how they are called there.
inline constexpr const char* topic = "metering";
inline constexpr const char* version = "1.0";

/// The endpoint that keeps samples and answers questions about them. Its handlers block on the disk
/// for the time of a write into the page cache: it is meant to be alone on its executor.
class collector {
 public:
  /// Nobody else uses the store. Not quiet: it shows each batch on standard output.
  collector(std::shared_ptr<store> into, bool quiet);

  /// Stores all samples or none, and returns how many were new. See `store::add` for errors.
  std::int64_t record(context& ctx, std::vector<sample> samples);

  /// See `store::statistics`.
  std::vector<statistic> statistics(context& ctx, filter which);

  /// The latest `limit` samples of a meter, or of all if it is empty.
  std::vector<sample> samples(context& ctx, std::string meter, std::int64_t limit);

 private:
  void show(const std::vector<sample>& batch);

  std::shared_ptr<store> store_;
  bool quiet_;
  std::uint64_t shown_ = 0;
  std::uint64_t unseen_ = 0;  // Rows, since the last that was shown.
  live_table table_;
};

}  // namespace mailroom::metering
