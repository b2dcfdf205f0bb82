#include <mailroom/tests/bench/executors/workloads.hpp>

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

// Of the Savina suite (Imam and Sarkar, 2014): populations of actors that meet each other. The
// numbers of actors are Savina's or nearly so, the numbers of messages fit into a round.

namespace mailroom::tests::bench {
namespace {

using go = caf::atom_constant<caf::atom("go")>;
using done = caf::atom_constant<caf::atom("done")>;
using pinged = caf::atom_constant<caf::atom("pinged")>;
using ponged = caf::atom_constant<caf::atom("ponged")>;
using meet = caf::atom_constant<caf::atom("meet")>;
using changed = caf::atom_constant<caf::atom("changed")>;
using credit = caf::atom_constant<caf::atom("credit")>;
using debit = caf::atom_constant<caf::atom("debit")>;

// ---- chameneos: all meet in one place, two by two, and change their colours

int complement(int one, int other) {
  return one == other ? one : 3 - one - other;
}

caf::behavior chameneo(caf::event_based_actor* self, const caf::actor& place, int first_colour) {
  return {[=](go) { self->send(place, meet::value, first_colour, caf::actor(self)); },
          // To the one who came first: whom it met. It tells the other.
          [=, colour = first_colour](meet, int other, const caf::actor& whom) mutable {
            colour = complement(colour, other);
            self->send(whom, changed::value, colour);
            self->send(place, meet::value, colour, caf::actor(self));
          },
          [=](changed, int colour) { self->send(place, meet::value, colour, caf::actor(self)); },
          [=](done) { self->quit(); }};
}

caf::behavior meeting_place(caf::event_based_actor* self,
                            int meetings,
                            int guests,
                            finish_line* finish) {
  return {[=, left = meetings, leaving = guests, waiting = caf::actor()](
              meet, int colour, const caf::actor& guest) mutable {
    if (left == 0) {
      self->send(guest, done::value);
      if (--leaving == 0) {
        self->quit();
        finish->arrive();
      }
    } else if (!waiting) {
      waiting = guest;
    } else {
      self->send(waiting, meet::value, colour, guest);
      waiting = nullptr;
      --left;
    }
  }};
}

// Four messages a meeting: two arrive, one is told of the other, and tells it.
figures chameneos(caf::actor_system& of, double scale) {
  constexpr int guests = 100;
  const int meetings = scaled(30'000, scale);
  finish_line finish;
  std::vector<caf::actor> all;
  {
    const auto place = of.spawn(meeting_place, meetings, guests, &finish);
    for (int i = 0; i != guests; ++i) {
      all.push_back(of.spawn(chameneo, place, i % 3));
    }
  }
  const stopwatch since;
  for (const auto& each : all) {
    caf::anon_send(each, go::value);
  }
  finish.wait();
  return since.over(4 * static_cast<std::size_t>(meetings));
}

// ---- big: each talks to any other

using crowd = std::vector<caf::actor>;

caf::behavior talker(caf::event_based_actor* self,
                     const crowd* all,
                     int pings,
                     std::uint32_t seed,
                     finish_line* finish) {
  return {[=](pinged, const caf::actor& by) { self->send(by, ponged::value); },
          [=, left = pings, random = seed](ponged) mutable {
            if (left-- == 0) {
              finish->arrive();
              return;
            }
            random = random * 1664525U + 1013904223U;
            self->send((*all)[(random >> 8U) % all->size()], pinged::value, caf::actor(self));
          },
          [=](done) { self->quit(); }};
}

figures big(caf::actor_system& of, double scale) {
  constexpr std::uint32_t talkers = 120;
  const int pings = scaled(700, scale);
  finish_line finish(talkers);
  crowd all;
  for (std::uint32_t i = 0; i != talkers; ++i) {
    all.push_back(of.spawn(talker, &all, pings, i * 2654435761U, &finish));
  }
  const stopwatch since;
  for (const auto& each : all) {
    caf::anon_send(each, ponged::value);
  }
  finish.wait();
  const auto measured = since.over(2 * static_cast<std::size_t>(pings) * talkers);
  for (const auto& each : all) {
    caf::anon_send(each, done::value);
  }
  of.await_all_actors_done();  // They read `all`.
  return measured;
}

// ---- bank transactions: a teller moves money between accounts, which ask each other

struct money {
  int balance = 0;
};

caf::behavior account(caf::stateful_actor<money>* self) {
  return {[=](credit, int amount, const caf::actor& from) {
            self->state.balance += amount;
            auto settled = self->make_response_promise<bool>();
            self->request(from, caf::infinite, debit::value, amount).then([=](bool had) mutable {
              settled.deliver(had);
            });
            return settled;
          },
          [=](debit, int amount) {
            self->state.balance -= amount;
            return true;
          }};
}

// So many transactions are open at once: CAF looks for a response among all that are awaited.
constexpr int open_at_once = 100;

struct ledger {
  std::vector<caf::actor> accounts;
  std::uint32_t random = 1;
  int to_begin = 0;
  int to_end = 0;
};

std::size_t pick(ledger& of) {
  of.random = of.random * 1664525U + 1013904223U;
  return (of.random >> 8U) % of.accounts.size();
}

void transact(caf::stateful_actor<ledger>* self, finish_line* finish) {
  ledger& books = self->state;
  if (books.to_begin == 0) {
    return;
  }
  --books.to_begin;
  const auto to = pick(books);
  const auto from = (to + 1 + pick(books) % (books.accounts.size() - 1)) % books.accounts.size();
  self->request(books.accounts[to], caf::infinite, credit::value, 1, books.accounts[from])
      .then([=](bool) {
        transact(self, finish);
        if (--self->state.to_end == 0) {
          for (const auto& each : self->state.accounts) {
            self->send_exit(each, caf::exit_reason::user_shutdown);
          }
          self->quit();
          finish->arrive();
        }
      });
}

caf::behavior teller(caf::stateful_actor<ledger>* self,
                     int accounts,
                     int transactions,
                     finish_line* finish) {
  for (int i = 0; i != accounts; ++i) {
    self->state.accounts.push_back(self->spawn(account));
  }
  self->state.to_begin = self->state.to_end = transactions;
  return {[=](go) {
    for (int i = 0; i != open_at_once; ++i) {
      transact(self, finish);
    }
  }};
}

// Four messages a transaction: two requests, two responses.
figures bank_transaction(caf::actor_system& of, double scale) {
  const int transactions = scaled(15'000, scale);
  finish_line finish;
  const auto asks = of.spawn(teller, 1'000, transactions, &finish);
  const stopwatch since;
  caf::anon_send(asks, go::value);
  finish.wait();
  return since.over(4 * static_cast<std::size_t>(transactions));
}

}  // namespace

std::vector<workload> savina_workloads() {
  return {
      {"chameneos", "savina", false, {}, &chameneos},
      {"big", "savina", false, {}, &big},
      {"bank transaction", "savina", false, {}, &bank_transaction},
  };
}

}  // namespace mailroom::tests::bench
