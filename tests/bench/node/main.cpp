// What a node of many endpoints does under load: see README.md.

#include <mailroom/tests/bench/node/node_bench.hpp>

#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

int main(int count, char** arguments) {
  using namespace mailroom::tests::bench;
  const std::map<std::string_view, bool (*)(bool)> known{
      {"moving", &moving}, {"nested", &nested}, {"idle", &idle}};
  bool smoke = false;
  std::vector<bool (*)(bool)> wanted;
  for (const std::string_view each :
       std::vector<std::string_view>(arguments + 1, arguments + count)) {
    const auto named = known.find(each);
    if (each == "--smoke") {
      smoke = true;
    } else if (named != known.end()) {
      wanted.push_back(named->second);
    } else {
      std::fprintf(stderr, "usage: node_bench [moving|nested|idle]... [--smoke]\n");
      return 2;
    }
  }
  if (wanted.empty()) {
    wanted = {&moving, &nested, &idle};
  }
  bool well = true;
  for (const auto each : wanted) {
    well = each(smoke) && well;
  }
  return well ? 0 : 1;
}
