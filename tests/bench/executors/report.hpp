#pragma once

#include <mailroom/tests/bench/executors/contenders.hpp>
#include <mailroom/tests/bench/executors/workloads.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <optional>
#include <ostream>
#include <vector>

namespace mailroom::tests::bench {

/// What was measured of one workload: for each contender one figure a round.
struct series {
  workload of;
  std::vector<const contender*> who;
  std::vector<std::vector<figures>> rounds;  ///< [contender][round]
};

/// Of one contender, over all rounds.
struct summary {
  const contender* who;
  figures median;
  std::optional<double> ratio;      ///< Median of the rounds' ratios to the baseline.
  std::optional<double> cpu_ratio;  ///< The same of the processor time.
};

struct comparison {
  std::vector<summary> all;
  const contender* baseline = nullptr;  ///< The better of CAF's, by the median; null if none ran.
};

comparison compare(const series& measured);

void print_table(std::ostream& out, const std::vector<series>& measured);
nlohmann::ordered_json to_json(const std::vector<series>& measured);

}  // namespace mailroom::tests::bench
