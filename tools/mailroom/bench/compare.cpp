#include <mailroom/tools/mailroom/bench/endpoint.hpp>
#include <mailroom/tools/mailroom/bench/trial.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>
#include <mailroom/tools/mailroom/options.hpp>
#include <mailroom/tools/mailroom/table.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>

namespace mailroom::bench {
namespace {

struct compare_settings {
  std::size_t rounds = 7;
  double seconds = 2;
  std::vector<std::string> cases;
  std::vector<std::string> executors;
  std::string client_executor = "loop-bound";
  std::string service;
  std::string topic = bench::topic;
  std::string method = "echo";
  bool as_json = false;
};

/// What the rounds gave for one figure of one contender.
class series {
 public:
  void add(double value) {
    values_.insert(std::upper_bound(values_.begin(), values_.end(), value), value);
  }
  bool empty() const noexcept { return values_.empty(); }
  double least() const { return values_.front(); }
  double most() const { return values_.back(); }
  double median() const {
    const std::size_t middle = values_.size() / 2;
    return values_.size() % 2 == 1 ? values_[middle] : (values_[middle - 1] + values_[middle]) / 2;
  }

 private:
  std::vector<double> values_;  // Sorted.
};

/// Trial, figure, contender.
using outcome = std::map<std::string, std::map<std::string, std::map<std::string, series>>>;

std::string shown(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(),
                text.size(),
                value >= 1000 ? "%.0f"
                : value >= 10 ? "%.1f"
                              : "%.3f",
                value);
  return text.data();
}

double to_four_places(double value) {
  return std::round(value * 1e4) / 1e4;
}

nlohmann::ordered_json ratio(const series& of, const series& to) {
  return to.median() > 0 ? nlohmann::ordered_json(to_four_places(of.median() / to.median()))
                         : nullptr;
}

std::string ratio_text(const series& of, const series& to) {
  return to.median() > 0 ? shown(of.median() / to.median()) : "-";
}

std::string as_text(const std::vector<trial>& asked,
                    const std::vector<contender>& all,
                    outcome& of) {
  cli::table lines({"CASE", "FIGURE", "WHO", "MEDIAN", "LEAST", "MOST", "x RAW", "x BENCH"});
  for (const auto& what : asked) {
    for (const auto& figure : what.figures) {
      for (const auto& who : all) {
        auto& of_all = of[what.name][figure.name];
        const series& got = of_all[who.name];
        if (got.empty()) {
          continue;
        }
        lines.add({what.title,
                   figure.name,
                   who.name,
                   shown(got.median()),
                   shown(got.least()),
                   shown(got.most()),
                   ratio_text(got, of_all[all.front().name]),
                   who.program.empty() ? "-" : ratio_text(got, of_all[who.executor])});
      }
    }
  }
  return lines.text();
}

std::string as_json(const compare_settings& with,
                    const std::vector<trial>& asked,
                    const std::vector<contender>& all,
                    outcome& of) {
  nlohmann::ordered_json out;
  out["rounds"] = with.rounds;
  out["seconds"] = with.seconds;
  for (const auto& what : asked) {
    auto& here = out["cases"][what.name];
    here["title"] = what.title;
    for (const auto& figure : what.figures) {
      auto& of_all = of[what.name][figure.name];
      here["figures"][figure.name]["more_is_better"] = figure.more_is_better;
      for (const auto& who : all) {
        const series& got = of_all[who.name];
        if (got.empty()) {
          continue;
        }
        auto& told = here["figures"][figure.name][who.name];
        told["median"] = to_four_places(got.median());
        told["min"] = to_four_places(got.least());
        told["max"] = to_four_places(got.most());
        told["ratio"] = ratio(got, of_all[all.front().name]);
        if (!who.program.empty()) {
          told["ratio_to_bench"] = ratio(got, of_all[who.executor]);
        }
      }
    }
  }
  return cli::json_text(out);
}

/// Each round asks everything of everybody; who begins changes, so that no one always follows the
/// same other.
result<outcome> run(const compare_settings& with,
                    const std::vector<trial>& asked,
                    const std::vector<contender>& all) {
  outcome of;
  for (std::size_t round = 0; round < with.rounds; ++round) {
    for (const auto& what : asked) {
      std::cerr << "round " << round + 1 << " of " << with.rounds << ", " << what.name << ':';
      for (std::size_t i = 0; i < all.size(); ++i) {
        const auto& who = all[(i + round) % all.size()];
        if (!who.plays(what)) {
          continue;
        }
        auto got = run_once(what, who, with.seconds, with.client_executor);
        if (!got) {
          std::cerr << std::endl;
          return got.error();
        }
        for (const auto& [figure, value] : *got) {
          of[what.name][figure][who.name].add(value);
        }
        const char* first = what.figures.front().name;
        std::cerr << ' ' << who.name << ' ' << shown((*got)[first]) << std::flush;
      }
      std::cerr << std::endl;
    }
  }
  return of;
}

int compare(const compare_settings& with) {
  const std::string verb = "bench compare";
  if (with.service.find('/') != std::string::npos && ::access(with.service.c_str(), X_OK) != 0) {
    return cli::misused(verb, "--service: " + with.service + ": " + std::strerror(errno));
  }
  std::vector<trial> asked;
  for (const auto& each : trials()) {
    if (with.cases.empty() || std::count(with.cases.begin(), with.cases.end(), each.name) > 0) {
      asked.push_back(each);
    }
  }
  std::vector<contender> all{{.name = "raw", .bare = true}};
  for (const auto& each : executors::policies()) {
    if (with.executors.empty() ||
        std::count(with.executors.begin(), with.executors.end(), each) > 0) {
      const std::string executor(each);
      all.push_back({.name = executor, .executor = executor});
      if (!with.service.empty()) {
        const std::string program = with.service.substr(with.service.rfind('/') + 1);
        all.push_back({.name = program + " " + executor,
                       .executor = executor,
                       .program = with.service,
                       .topic = with.topic,
                       .method = with.method});
      }
    }
  }
  // loop-bound is what the figures are about: right after the baseline.
  std::stable_partition(all.begin() + 1, all.end(), [](const contender& who) {
    return who.executor == "loop-bound";
  });
  auto of = run(with, asked, all);
  if (!of) {
    return cli::failed(verb, std::string(of.error().message()));
  }
  std::cout << (with.as_json ? as_json(with, asked, all, *of) : as_text(asked, all, *of))
            << std::endl;
  return 0;
}

}  // namespace

void add_compare(const cli::command& to) {
  const cli::command verb = to.add_verb(
      "compare",
      "Bare libzmq against every executor, as processes, round by round: medians and ratios",
      "mailroom bench compare --rounds 7 --seconds 2 --cases calls-1000,casts --json");
  auto with = std::make_shared<compare_settings>();
  std::vector<std::string> cases;
  std::string listed;
  for (const auto& each : trials()) {
    cases.emplace_back(each.name);
    listed += (listed.empty() ? "" : ", ") + cases.back();
  }
  const auto policies = executors::policies();
  cli::add_number(verb, "--rounds", with->rounds, "How often everything is measured", "R", 1, 1000);
  cli::add_number(
      verb, "--seconds", with->seconds, "How long each measurement takes", "S", 0.01, 3600);
  cli::add_choice(verb, "--cases", with->cases, "Only these: " + listed, cases);
  cli::add_choice(
      verb, "--executors", with->executors, "Only these", {policies.begin(), policies.end()});
  cli::add_executor(
      verb, "--client-executor", with->client_executor, "Where the calling flows run");
  verb.add_text("--service",
                with->service,
                "Also a service of run_service, by a method that gives back its one argument",
                "PROGRAM");
  cli::add_topic(verb, with->topic, "Topic of the service");
  cli::add_method(verb, with->method, "Method of the service");
  cli::add_json(verb, with->as_json);
  verb.runs([with] { return compare(*with); });
}

}  // namespace mailroom::bench
