#include <mailroom/tests/bench/executors/contenders.hpp>
#include <mailroom/tests/bench/executors/report.hpp>
#include <mailroom/tests/bench/executors/workloads.hpp>

#include <CLI/CLI.hpp>
#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

namespace mailroom::tests::bench {
namespace {

struct options {
  std::vector<std::string> workloads;
  std::vector<std::string> contenders;
  int rounds = 11;
  double scale = 1;
  std::size_t max_throughput = 300;
  bool smoke = false;
  std::string json;
};

// A name matches what it is a part of; no names match all.
bool is_chosen(const std::vector<std::string>& names, std::string_view one) {
  return names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& each) {
           return one.find(each) != std::string_view::npos;
         });
}

std::vector<series> chosen(const options& how) {
  std::vector<const contender*> who;
  for (const auto& each : contenders()) {
    if (is_chosen(how.contenders, each.name)) {
      who.push_back(&each);
    }
  }
  std::vector<series> all;
  for (auto* const make :
       {&message_workloads, &savina_tree_workloads, &savina_workloads, &wake_workloads}) {
    for (const auto& each : make()) {
      if (is_chosen(how.workloads, each.name) || is_chosen(how.workloads, each.group)) {
        all.push_back({each, who, std::vector<std::vector<figures>>(who.size())});
      }
    }
  }
  return all;
}

// Contenders take turns, workload by workload and round by round, so that what disturbs the machine
// disturbs all. The first round does not count: it is the one in which memory is new.
void measure(std::vector<series>& all, const options& how) {
  for (int round = 0; round <= how.rounds; ++round) {
    for (auto& each : all) {
      for (std::size_t i = 0; i != each.who.size(); ++i) {
        house at(*each.who[i], how.max_throughput);
        const auto measured = each.of.run(at.system(), how.scale);
        if (round != 0) {
          each.rounds[i].push_back(measured);
        }
      }
    }
    std::cerr << "round " << round << " of " << how.rounds << '\n';
  }
}

// What a run gives back to the system the next would have to ask for again, page by page, and that
// costs as much as scheduling the messages: it would go by chance to one contender or another. The
// padding is what keeps the heaps of threads.
void keep_memory() {
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_MMAP_THRESHOLD, 1 << 25);
  ::mallopt(M_TOP_PAD, 1 << 26);
}

int run(int argc, char** argv) {
  options how;
  CLI::App app("The same actors on CAF's schedulers and on mailroom's executors.",
               "executors_bench");
  app.add_option("--workload", how.workloads, "Only those with this in their name or group");
  app.add_option("--contender", how.contenders, "Only those with this in their name");
  app.add_option("--rounds", how.rounds, "How often each is measured")->check(CLI::PositiveNumber);
  app.add_option("--scale", how.scale, "How much of each")->check(CLI::PositiveNumber);
  app.add_option("--max-throughput", how.max_throughput, "Messages of one actor in a row")
      ->check(CLI::PositiveNumber);
  app.add_option("--json", how.json, "Write the figures to this file too, or only to - ");
  app.add_flag("--smoke", how.smoke, "One short round: does it run at all");
  CLI11_PARSE(app, argc, argv);
  if (how.smoke) {
    how.rounds = 1;
    how.scale = 0.01;
  }
  auto all = chosen(how);
  if (all.empty() || all.front().who.empty()) {
    std::cerr << "executors_bench: nothing is called that\n";
    return 2;
  }
  keep_memory();
  measure(all, how);
  if (how.json == "-") {
    std::cout << to_json(all).dump(2) << '\n';
    return 0;
  }
  print_table(std::cout, all);
  if (!how.json.empty()) {
    std::ofstream out(how.json);
    out << to_json(all).dump(2) << '\n';
    out.close();
    if (!out) {
      std::cerr << "executors_bench: cannot write " << how.json << '\n';
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace mailroom::tests::bench

int main(int argc, char** argv) {
  try {
    return mailroom::tests::bench::run(argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << "executors_bench: " << failure.what() << '\n';
    return 1;
  }
}
