#include <mailroom/tests/bench/executors/workloads.hpp>

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

// Small patterns of messages: what a scheduler costs when the actors do nothing else.

namespace mailroom::tests::bench {
namespace {

using go = caf::atom_constant<caf::atom("go")>;

// ---- two that answer each other

caf::behavior pong(caf::event_based_actor* self) {
  return {[self](int left, const caf::actor& partner) {
            self->become([self, partner](int still_left) { self->send(partner, still_left); });
            self->send(partner, left);
          },
          [](int) {}};
}

caf::behavior ping(caf::event_based_actor* self,
                   const caf::actor& partner,
                   int rounds,
                   finish_line* finish) {
  return {[=](go) { self->send(partner, rounds, caf::actor(self)); },
          [=](int left) {
            if (left != 0) {
              self->send(partner, left - 1);
              return;
            }
            self->send_exit(partner, caf::exit_reason::user_shutdown);
            self->quit();
            finish->arrive();
          }};
}

figures ping_pong(caf::actor_system& of, int pairs, int rounds) {
  finish_line finish(static_cast<std::size_t>(pairs));
  std::vector<caf::actor> pings;
  for (int i = 0; i != pairs; ++i) {
    pings.push_back(of.spawn(ping, of.spawn(pong), rounds, &finish));
  }
  const stopwatch since;
  for (const auto& each : pings) {
    caf::anon_send(each, go::value);
  }
  finish.wait();
  return since.over(2 * static_cast<std::size_t>(rounds) * static_cast<std::size_t>(pairs));
}

figures one_pair(caf::actor_system& of, double scale) {
  return ping_pong(of, 1, scaled(60'000, scale));
}

figures sixteen_pairs(caf::actor_system& of, double scale) {
  return ping_pong(of, 16, scaled(5'000, scale));
}

// ---- a token on its way around

caf::behavior link(caf::event_based_actor* self, finish_line* finish) {
  return {[=](const caf::actor& next) {
    self->become(
        [=](int hops) {
          if (hops == 0) {
            finish->arrive();
          } else {
            self->send(next, hops - 1);
          }
        },
        [=](go) { self->quit(); });
  }};
}

figures ring(caf::actor_system& of, double scale) {
  const int hops = scaled(120'000, scale);
  std::vector<caf::actor> links(503);
  finish_line finish;
  std::generate(links.begin(), links.end(), [&] { return of.spawn(link, &finish); });
  for (std::size_t i = 0; i != links.size(); ++i) {
    caf::anon_send(links[i], links[(i + 1) % links.size()]);
  }
  const stopwatch since;
  caf::anon_send(links[0], hops);
  finish.wait();
  const auto measured = since.over(static_cast<std::size_t>(hops));
  for (const auto& each : links) {
    caf::anon_send(each, go::value);
  }
  return measured;
}

// ---- one that asks and one that answers

caf::behavior answering(caf::event_based_actor*) {
  return {[](int number) { return number; }};
}

void ask(caf::event_based_actor* self, const caf::actor& whom, int left, finish_line* finish) {
  self->request(whom, caf::infinite, left).then([=](int number) {
    if (number != 0) {
      ask(self, whom, number - 1, finish);
      return;
    }
    self->send_exit(whom, caf::exit_reason::user_shutdown);
    self->quit();
    finish->arrive();
  });
}

caf::behavior asking(caf::event_based_actor* self,
                     const caf::actor& whom,
                     int requests,
                     finish_line* finish) {
  return {[=](go) { ask(self, whom, requests, finish); }};
}

// A message is one request or one response.
figures request_response(caf::actor_system& of, double scale) {
  const int requests = scaled(40'000, scale);
  finish_line finish;
  const auto asks = of.spawn(asking, of.spawn(answering), requests, &finish);
  const stopwatch since;
  caf::anon_send(asks, go::value);
  finish.wait();
  return since.over(2 * static_cast<std::size_t>(requests));
}

// ---- many to one

caf::behavior sink(caf::event_based_actor* self, int expected, finish_line* finish) {
  return {[=, got = 0](int) mutable {
    if (++got == expected) {
      self->quit();
      finish->arrive();
    }
  }};
}

// Sends a hundred for each message to itself, so that the others have their turn.
caf::behavior producer(caf::event_based_actor* self, const caf::actor& to, int messages) {
  return {[=, left = messages](go) mutable {
    for (int i = std::min(left, 100); i != 0; --i) {
      self->send(to, left--);
    }
    if (left == 0) {
      self->quit();
    } else {
      self->send(self, go::value);
    }
  }};
}

figures fan_in(caf::actor_system& of, double scale) {
  constexpr int producers = 4;
  const int each = scaled(250'000, scale);
  finish_line finish;
  std::array<caf::actor, producers> all;
  {
    const auto to = of.spawn(sink, each * producers, &finish);
    std::generate(all.begin(), all.end(), [&] { return of.spawn(producer, to, each); });
  }
  const stopwatch since;
  for (const auto& one : all) {
    caf::anon_send(one, go::value);
  }
  finish.wait();
  return since.over(static_cast<std::size_t>(each) * producers);
}

}  // namespace

std::vector<workload> message_workloads() {
  return {
      {"ping-pong", "messages", false, {1.8, 1.5, 0.7}, &one_pair},
      {"ping-pong, 16 pairs", "messages", false, {1.5, 1.4, 0.7}, &sixteen_pairs},
      {"ring of 503", "messages", false, {1.3, 1.2, 0.8}, &ring},
      {"request/response", "messages", false, {1.6, 1.5, 0.7}, &request_response},
      {"fan-in of 1 M", "messages", false, {1.05, 0.9, {}}, &fan_in},
  };
}

}  // namespace mailroom::tests::bench
