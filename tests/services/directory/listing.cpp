// What a directory says of itself: nodes, watchers, bytes of their questions and answers so far.

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/directory/messages.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace mailroom;
  if (argc != 2) {
    return 2;
  }
  log::set_level(log::level::off);
  node asks({.connect = {argv[1]}, .connect_within = duration::zero()});
  asks.start().value();
  const auto told = asks.admin(argv[1], directory::list_verb, 30s);
  if (!told) {
    std::fprintf(stderr, "%s\n", told.error().to_string().c_str());
    return 1;
  }
  const auto all = directory::read_listing(told->view()).value();
  std::printf("%zu %llu %llu\n",
              all.nodes.size(),
              static_cast<unsigned long long>(all.watchers),
              static_cast<unsigned long long>(all.watch_bytes));
  return 0;
}
