#include <mailroom/tests/bench/executors/workloads.hpp>

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

// Of the Savina suite: work that is handed out and comes back. Here the actors compute a little.

namespace mailroom::tests::bench {
namespace {

using go = caf::atom_constant<caf::atom("go")>;
using done = caf::atom_constant<caf::atom("done")>;

// Savina's own computation for one message, some tens of nanoseconds.
bool compute(double theta) {
  const double sine = std::sin(theta);
  return sine * sine > 2;  // Never; but the compiler does not know.
}

// ---- fork-join, messages: sixty actors are given one message each, again and again

caf::behavior counter_down(caf::event_based_actor* self, int expected, finish_line* finish) {
  return {[=, left = expected](int number) mutable {
    if (compute(37.2 + number) || --left == 0) {
      self->quit();
      finish->arrive();
    }
  }};
}

// Ten rounds for each message to itself, so that the others have their turn.
caf::behavior dealer(caf::event_based_actor* self, const std::vector<caf::actor>& all, int rounds) {
  return {[=, left = rounds](go) mutable {
    for (int i = std::min(left, 10); i != 0; --i, --left) {
      for (const auto& each : all) {
        self->send(each, left);
      }
    }
    if (left == 0) {
      self->quit();
    } else {
      self->send(self, go::value);
    }
  }};
}

figures fork_join_messages(caf::actor_system& of, double scale) {
  constexpr std::size_t actors = 60;
  const int rounds = scaled(2'500, scale);
  finish_line finish(actors);
  caf::actor deals;
  {
    std::vector<caf::actor> all(actors);
    std::generate(all.begin(), all.end(), [&] { return of.spawn(counter_down, rounds, &finish); });
    deals = of.spawn(dealer, all, rounds);
  }
  const stopwatch since;
  caf::anon_send(deals, go::value);
  finish.wait();
  return since.over(actors * static_cast<std::size_t>(rounds));
}

// ---- fork-join, actors: many are made, are given one message, and end

caf::behavior once(caf::event_based_actor* self, const caf::actor& parent) {
  return {[=](int number) {
    compute(37.2 + number);
    self->send(parent, done::value);
    self->quit();
  }};
}

caf::behavior forking(caf::event_based_actor* self, int actors, finish_line* finish) {
  return {[=, left = actors](go) mutable {
            for (int i = std::min(left, 50); i != 0; --i) {
              self->send(self->spawn(once, caf::actor(self)), left--);
            }
            if (left != 0) {
              self->send(self, go::value);
            }
          },
          [=, missing = actors](done) mutable {
            if (--missing == 0) {
              self->quit();
              finish->arrive();
            }
          }};
}

// A message there, one back, for each actor.
figures fork_join_actors(caf::actor_system& of, double scale) {
  const int actors = scaled(15'000, scale);
  finish_line finish;
  const auto forks = of.spawn(forking, actors, &finish);
  const stopwatch since;
  caf::anon_send(forks, go::value);
  finish.wait();
  return since.over(2 * static_cast<std::size_t>(actors));
}

// ---- unbalanced tree: each node computes, then makes its children, and tells its parent how many
//      are below it

struct node_state {
  int missing = 0;
  int nodes = 1;
};

std::uint32_t scramble(std::uint32_t seed) {
  seed = (seed ^ (seed >> 16U)) * 0x7feb352dU;
  seed = (seed ^ (seed >> 15U)) * 0x846ca68bU;
  return seed ^ (seed >> 16U);
}

// A quarter of the nodes, but for a little, have four children; so a branch has 25 nodes in the
// mean, most have one, and some have hundreds. Always the same tree.
int children_of(std::uint32_t seed) {
  return scramble(seed) % 100 < 24 ? 4 : 0;
}

caf::behavior tree_node(caf::stateful_actor<node_state>* self,
                        const caf::actor& parent,
                        std::uint32_t seed) {
  return {[=](go) {
            for (int i = 0; i != 20; ++i) {
              compute(seed + static_cast<std::uint32_t>(i));
            }
            auto& state = self->state;
            state.missing = children_of(seed);
            for (int i = 0; i != state.missing; ++i) {
              const auto child_seed =
                  scramble(seed + 0x9e3779b9U * static_cast<std::uint32_t>(i + 1));
              self->send(self->spawn(tree_node, caf::actor(self), child_seed), go::value);
            }
            if (state.missing == 0) {
              self->send(parent, 1);
              self->quit();
            }
          },
          [=](int nodes) {
            auto& state = self->state;
            state.nodes += nodes;
            if (--state.missing == 0) {
              self->send(parent, state.nodes);
              self->quit();
            }
          }};
}

caf::behavior tree_root(caf::stateful_actor<node_state>* self,
                        int branches,
                        int* nodes,
                        finish_line* finish) {
  return {[=](go) {
            self->state.missing = branches;
            for (int i = 0; i != branches; ++i) {
              self->send(
                  self->spawn(tree_node, caf::actor(self), scramble(static_cast<std::uint32_t>(i))),
                  go::value);
            }
          },
          [=](int below) {
            self->state.nodes += below;
            if (--self->state.missing == 0) {
              *nodes = self->state.nodes;
              self->quit();
              finish->arrive();
            }
          }};
}

// A message down, one up, for each node.
figures unbalanced_tree(caf::actor_system& of, double scale) {
  int nodes = 0;
  finish_line finish;
  const auto root = of.spawn(tree_root, scaled(500, scale), &nodes, &finish);
  const stopwatch since;
  caf::anon_send(root, go::value);
  finish.wait();
  return since.over(2 * static_cast<std::size_t>(nodes));
}

}  // namespace

std::vector<workload> savina_tree_workloads() {
  return {
      {"fork-join, messages", "savina", false, {}, &fork_join_messages},
      {"fork-join, actors", "savina", false, {}, &fork_join_actors},
      {"unbalanced tree", "savina", false, {}, &unbalanced_tree},
  };
}

}  // namespace mailroom::tests::bench
