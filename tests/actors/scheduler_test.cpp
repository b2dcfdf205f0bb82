#include <mailroom/actors/scheduler.hpp>

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <boost/test/unit_test.hpp>
#include <caf/actor_ostream.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace mailroom;

using tick = caf::atom_constant<caf::atom("tick")>;
using where = caf::atom_constant<caf::atom("where")>;

std::string thread_name() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return name.data();
}

// Plain CAF actors on one of our executors.
class house {
 public:
  explicit house(const std::string& policy) : loop_("mr-loop-0", platform::system()) {
    executors::executor::options with;
    with.name = "tested";
    with.workers = 2;
    with.run = &actors::scheduler::run_turn;
    with.loops = {&loop_};
    executor_ = executors::make_executor(policy, std::move(with)).value();
    loop_.start();
    executor_->start();
    config_.module_factories.emplace_back(
        [this](caf::actor_system& of) -> caf::actor_system::module* {
          return new actors::scheduler(of, *executor_, platform::system());
        });
    system_ = std::make_unique<caf::actor_system>(config_);
  }
  ~house() {
    system_.reset();
    executor_->stop(deadline::none());
    loop_.stop();
  }
  house(const house&) = delete;
  house& operator=(const house&) = delete;

  caf::actor_system& system() { return *system_; }
  std::uint64_t turns() const { return executor_->stats().turns; }

 private:
  executors::event_loop loop_;
  std::unique_ptr<executors::executor> executor_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
};

caf::behavior adder(caf::event_based_actor*) {
  return {[](int a, int b) { return a + b; }, [](where) { return thread_name(); }};
}

// Asks `other`, and answers with what it heard.
caf::behavior asker(caf::event_based_actor* self, const caf::actor& other) {
  return {[=](int a, int b) {
            auto promise = self->make_response_promise<int>();
            self->request(other, caf::infinite, a, b).then([=](int sum) mutable {
              promise.deliver(sum);
            });
            return promise;
          },
          [](where) { return thread_name(); }};
}

caf::behavior ticking(caf::event_based_actor* self, const caf::actor& to) {
  self->delayed_send(self, std::chrono::milliseconds(2), tick::value);
  return {[=](tick) {
    self->send(to, thread_name());
    self->quit();
  }};
}

// Spawns `below` generations, then answers `root`.
caf::behavior spawning(caf::event_based_actor* self, const caf::actor& root, int below) {
  return {[=](int) {
    if (below != 0) {
      self->send(self->spawn(spawning, root, below - 1), 1);
    } else {
      self->send(root, thread_name());
    }
    self->quit();
  }};
}

caf::behavior throwing(caf::event_based_actor*) {
  return {[](int) -> int { throw std::runtime_error("as told"); }};
}

// Works, and always has the next message to itself.
caf::behavior busy(caf::event_based_actor* self, const std::atomic<bool>* enough) {
  self->send(self, tick::value);
  return {[=](tick) {
    const auto until = clock::now() + 50us;
    while (clock::now() < until) {
    }
    if (*enough) {
      self->quit();
    } else {
      self->send(self, tick::value);
    }
  }};
}

caf::behavior telling_turns(caf::event_based_actor* self, const house* of) {
  return {[=](tick) {
    self->quit();
    return of->turns();
  }};
}

caf::behavior printing(caf::event_based_actor* self) {
  return {[=](int number) {
    caf::aout(self) << "number " << number << std::endl;
    return number;
  }};
}

void check_life(const std::string& policy, const std::set<std::string>& threads) {
  for (int round = 0; round < 20; ++round) {
    house at(policy);
    caf::scoped_actor self{at.system()};
    const auto fail = [](const caf::error&) { BOOST_FAIL("no answer"); };
    const auto seconds = std::chrono::seconds(30);

    const auto sums = self->spawn(adder);
    const auto asks = self->spawn(asker, sums);
    self->request(asks, seconds, 40, 2).receive([](int sum) { BOOST_TEST(sum == 42); }, fail);
    for (const auto& each : {sums, asks}) {
      self->request(each, seconds, where::value)
          .receive(
              [&](const std::string& name) {
                BOOST_TEST(threads.contains(name), policy << " ran it on " << name);
              },
              fail);
    }

    self->spawn(ticking, caf::actor_cast<caf::actor>(self));
    self->receive(
        [&](const std::string& name) {
          BOOST_TEST(threads.contains(name), policy << " ran it on " << name);
        },
        caf::after(seconds) >> [] { BOOST_FAIL("no tick"); });

    const auto throws = self->spawn(throwing);
    self->request(throws, seconds, 1)
        .receive([](int) { BOOST_FAIL("it answered"); }, [](const caf::error&) {});
    self->wait_for(throws);
    self->request(sums, seconds, 1, 1).receive([](int sum) { BOOST_TEST(sum == 2); }, fail);

    const auto prints = self->spawn(printing);
    self->request(prints, seconds, round)
        .receive([&](int number) { BOOST_TEST(number == round); }, fail);

    for (const auto& each : {sums, asks, prints}) {
      self->send_exit(each, caf::exit_reason::user_shutdown);
      self->wait_for(each);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(scheduler)

BOOST_AUTO_TEST_CASE(runs_plain_caf_actors_when_cooperative) {
  check_life("cooperative", {"mr-coop"});
}
BOOST_AUTO_TEST_CASE(runs_plain_caf_actors_when_work_stealing) {
  check_life("work-stealing", {"mr-ws-0", "mr-ws-1"});
}
BOOST_AUTO_TEST_CASE(runs_plain_caf_actors_when_loop_bound) {
  check_life("loop-bound", {"mr-loop-0"});
}

BOOST_AUTO_TEST_CASE(ends_with_actors_that_still_talk) {
  for (const auto* policy : {"cooperative", "work-stealing", "loop-bound"}) {
    house at(policy);
    at.system().await_actors_before_shutdown(false);
    caf::scoped_actor self{at.system()};
    std::vector<caf::actor> all;
    for (int i = 0; i < 50; ++i) {
      all.push_back(self->spawn(adder));
    }
    for (int i = 0; i < 1000; ++i) {
      self->send(all[static_cast<std::size_t>(i) % all.size()], i, 1);
    }
    for (const auto& each : all) {
      self->send_exit(each, caf::exit_reason::user_shutdown);
    }
    BOOST_TEST(all.size() == 50U);  // And now the house is torn down around them.
  }
}

// CAF lets a thread that spawns keep hold of the actor system, whose end waits for that.
BOOST_AUTO_TEST_CASE(ends_although_its_threads_have_spawned_actors) {
  for (const auto* policy : {"cooperative", "work-stealing", "loop-bound"}) {
    house at(policy);
    caf::scoped_actor self{at.system()};
    for (int i = 0; i < 10; ++i) {
      self->send(self->spawn(spawning, caf::actor_cast<caf::actor>(self), 10), 1);
    }
    int answers = 0;
    self->receive_for(answers, 10)([](const std::string&) {});
    BOOST_TEST(answers == 10);
  }
}

// Turns end in time: the house sets no limit to an actor's messages.
BOOST_AUTO_TEST_CASE(busy_actors_do_not_starve_another) {
  constexpr std::uint64_t busy_ones = 11;
  for (const auto* policy : {"cooperative", "work-stealing", "loop-bound"}) {
    std::atomic<bool> enough{false};
    house at(policy);
    caf::scoped_actor self{at.system()};
    std::vector<caf::actor> all;
    for (std::uint64_t i = 0; i != busy_ones; ++i) {
      all.push_back(self->spawn(busy, &enough));
    }
    std::vector<std::uint64_t> waited;
    for (int round = 0; round != 50; ++round) {
      const auto another = self->spawn(telling_turns, &at);
      self->send(another, tick::value);
      const auto before = at.turns();  // Late if we are interrupted: too little is no failure.
      self->receive(
          [&](std::uint64_t after) { waited.push_back(after > before ? after - before : 0); },
          caf::after(std::chrono::seconds(30)) >> [] { BOOST_FAIL("no answer"); });
    }
    enough = true;
    for (const auto& each : all) {
      self->wait_for(each);
    }
    std::sort(waited.begin(), waited.end());
    BOOST_TEST(waited.back() <= 5 * busy_ones, policy << ": " << waited.back());
  }
}

BOOST_AUTO_TEST_SUITE_END()
