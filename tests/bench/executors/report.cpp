#include <mailroom/tests/bench/executors/report.hpp>

#include <algorithm>
#include <iomanip>
#include <string>
#include <utility>

namespace mailroom::tests::bench {
namespace {

double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  const std::size_t middle = of.size() / 2;
  return of.size() % 2 == 1 ? of[middle] : (of[middle - 1] + of[middle]) / 2;
}

template <class Get>
double median_of(const std::vector<figures>& rounds, Get get) {
  std::vector<double> all;
  std::transform(rounds.begin(), rounds.end(), std::back_inserter(all), get);
  return median(std::move(all));
}

// Rounds are compared one by one: what disturbs the machine for a while disturbs both.
template <class Get>
double median_ratio(const std::vector<figures>& ours, const std::vector<figures>& base, Get get) {
  std::vector<double> all;
  std::transform(ours.begin(),
                 ours.end(),
                 base.begin(),
                 std::back_inserter(all),
                 [&](const figures& a, const figures& b) { return get(a) / get(b); });
  return median(std::move(all));
}

double value_of(const figures& one) {
  return one.value;
}
double cpu_of(const figures& one) {
  return one.cpu_nanos;
}

// Of CAF's two kinds the wake-up is compared to stealing, which is its default.
bool may_be_baseline(const workload& what, const contender& who) {
  return !who.is_ours && (!what.is_latency || who.policy == "stealing");
}

bool is_better(const workload& what, double a, double b) {
  return what.is_latency ? a < b : a > b;
}

const char* verdict(const workload& what,
                    std::optional<double> promised,
                    std::optional<double> is) {
  if (!promised || !is) {
    return "";
  }
  return (what.is_latency ? *is <= *promised : *is >= *promised) ? "met" : "MISSED";
}

std::optional<double> best_ratio(const workload& what, const comparison& of) {
  std::optional<double> best;
  for (const auto& each : of.all) {
    if (each.who->is_ours && each.ratio && (!best || is_better(what, *each.ratio, *best))) {
      best = each.ratio;
    }
  }
  return best;
}

const summary* work_stealing(const comparison& of) {
  const auto found = std::find_if(of.all.begin(), of.all.end(), [](const summary& each) {
    return each.who->policy == "work-stealing";
  });
  return found == of.all.end() ? nullptr : &*found;
}

void print_promise(std::ostream& out, const workload& what, const comparison& of) {
  const auto line = [&](const char* whose,
                        std::optional<double> promised,
                        std::optional<double> is,
                        const char* said) {
    if (promised && is) {
      out << "    " << whose << ' ' << *is << ", promised " << *promised << ": " << said << '\n';
    }
  };
  const auto best = best_ratio(what, of);
  line("best", what.promised.best, best, verdict(what, what.promised.best, best));
  if (const auto* const stealing = work_stealing(of)) {
    line("work-stealing",
         what.promised.work_stealing,
         stealing->ratio,
         verdict(what, what.promised.work_stealing, stealing->ratio));
    line("work-stealing's cpu",
         what.promised.cpu,
         stealing->cpu_ratio,
         stealing->cpu_ratio <= what.promised.cpu ? "met" : "MISSED");
  }
}

void print_one(std::ostream& out, const series& measured, const comparison& of) {
  out << measured.of.name << '\n';
  for (const auto& each : of.all) {
    out << "  " << std::left << std::setw(18) << each.who->name << std::right << std::setw(12)
        << std::setprecision(measured.of.is_latency ? 1 : 0) << each.median.value << std::setw(10)
        << std::setprecision(0) << each.median.cpu_nanos << std::setprecision(2);
    if (each.who == of.baseline) {
      out << "  baseline";
    } else if (each.ratio) {
      out << std::setw(8) << *each.ratio << std::setw(8) << *each.cpu_ratio;
    }
    out << '\n';
  }
  print_promise(out, measured.of, of);
}

// No promise for each of Savina's alone: half of them at least 1.4 times as fast, none slower.
void print_savina(std::ostream& out, const std::vector<series>& measured) {
  std::vector<double> best;
  for (const auto& each : measured) {
    const auto ratio = best_ratio(each.of, compare(each));
    if (each.of.group == "savina" && ratio) {
      best.push_back(*ratio);
    }
  }
  if (!best.empty()) {
    const double least = *std::min_element(best.begin(), best.end());
    const double middle = median(best);
    out << "Savina, best of ours: median " << middle
        << ", promised 1.40: " << (middle >= 1.4 ? "met" : "MISSED") << "; least " << least
        << ", promised 1.00: " << (least >= 1.0 ? "met" : "MISSED") << '\n';
  }
}

}  // namespace

comparison compare(const series& measured) {
  comparison all;
  const std::vector<figures>* base = nullptr;
  double best = 0;
  for (std::size_t i = 0; i != measured.who.size(); ++i) {
    const auto& rounds = measured.rounds[i];
    const figures middle{median_of(rounds, value_of), median_of(rounds, cpu_of)};
    all.all.push_back({measured.who[i], middle, {}, {}});
    if (may_be_baseline(measured.of, *measured.who[i]) &&
        (base == nullptr || is_better(measured.of, middle.value, best))) {
      base = &rounds;
      best = middle.value;
      all.baseline = measured.who[i];
    }
  }
  for (std::size_t i = 0; base != nullptr && i != all.all.size(); ++i) {
    all.all[i].ratio = median_ratio(measured.rounds[i], *base, value_of);
    all.all[i].cpu_ratio = median_ratio(measured.rounds[i], *base, cpu_of);
  }
  return all;
}

void print_table(std::ostream& out, const std::vector<series>& measured) {
  out << std::fixed << std::left << std::setw(20) << "" << std::right << std::setw(12)
      << "messages/s" << std::setw(10) << "cpu ns" << std::setw(8) << "ratio" << std::setw(8)
      << "cpu" << '\n';
  for (const auto& each : measured) {
    print_one(out, each, compare(each));
  }
  print_savina(out, measured);
}

nlohmann::ordered_json to_json(const std::vector<series>& measured) {
  auto all = nlohmann::ordered_json::array();
  for (const auto& each : measured) {
    const auto of = compare(each);
    auto contenders = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i != of.all.size(); ++i) {
      const auto& one = of.all[i];
      nlohmann::ordered_json entry{{"name", one.who->name},
                                   {"ours", one.who->is_ours},
                                   {"median", one.median.value},
                                   {"cpu_ns", one.median.cpu_nanos}};
      if (one.ratio) {
        entry["ratio"] = *one.ratio;
        entry["cpu_ratio"] = *one.cpu_ratio;
      }
      auto& rounds = entry["rounds"] = nlohmann::ordered_json::array();
      for (const auto& round : each.rounds[i]) {
        rounds.push_back({{"value", round.value}, {"cpu_ns", round.cpu_nanos}});
      }
      contenders.push_back(std::move(entry));
    }
    nlohmann::ordered_json entry{{"workload", each.of.name},
                                 {"group", each.of.group},
                                 {"unit", each.of.is_latency ? "us" : "messages/s"}};
    if (of.baseline != nullptr) {
      entry["baseline"] = of.baseline->name;
    }
    entry["contenders"] = std::move(contenders);
    all.push_back(std::move(entry));
  }
  return all;
}

}  // namespace mailroom::tests::bench
