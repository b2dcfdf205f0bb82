#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/scripted.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>
#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/rpc/call_queue.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

// What waits to be started: in which order it starts, and who goes when there is too much of it.

namespace mailroom::tests::queue_test {
namespace {

using words = std::vector<std::string>;

constexpr std::array policies{
    queue_policy::refuse_newest, queue_policy::drop_oldest, queue_policy::by_priority};

// An endpoint that serves one call at a time, and one that keeps it busy.
struct scene {
  scene(std::size_t limit, queue_policy policy)
      : on(scripted::described(with).exclusive().queue_limit(limit, policy)),
        first(on.call("wait", "first", 0)) {
    on.run();
    with->log.clear();
  }

  std::uint64_t note(const std::string& word, std::uint8_t priority = 0) {
    on.set_priority(priority);
    return on.call("note", word);
  }
  /// In a frame of its own.
  std::uint64_t note_alone(const std::string& word, std::uint8_t priority = 0) {
    const auto id = note(word, priority);
    on.arrive();
    return id;
  }
  /// The first call ends; then everything that waits runs.
  words let_go() {
    with->open(0);
    on.run();
    with->log.erase(with->log.begin());
    return with->log;
  }
  const rpc::activation::counters& counts() const { return on.activation->counts(); }

  std::shared_ptr<script> with = std::make_shared<script>();
  stage on;
  std::uint64_t first;
};

bool went(const answer& got, const std::string& why) {
  return got.count == 1 && got.failure && *got.failure == errc::busy &&
         got.failure->execution() == execution::not_run && got.failure->retry_after().count() > 0 &&
         std::string(got.failure->message()).find(why) != std::string::npos;
}

bool failed_once(const answer& got, errc code) {
  return got.count == 1 && got.failure && *got.failure == code;
}

std::uint64_t ended(const rpc::activation::counters& counts) {
  return counts.answered + counts.failed + counts.expired + counts.refused + counts.dropped;
}

// What `by_priority` should do, written down as slowly as it reads.
class model {
 public:
  struct one {
    int number;
    std::uint8_t priority;
  };
  explicit model(std::size_t limit) : limit_(limit) {}

  void arrive(const std::vector<one>& frame) {
    waiting_.insert(waiting_.end(), frame.begin(), frame.end());
    while (waiting_.size() > limit_) {
      const auto newest_of_the_least =
          std::min_element(waiting_.rbegin(), waiting_.rend(), less_urgent);
      waiting_.erase(std::next(newest_of_the_least).base());
      ++gone;
    }
  }
  bool empty() const { return waiting_.empty(); }
  void start() {
    const auto next = std::max_element(waiting_.begin(), waiting_.end(), less_urgent);
    started.push_back(next->number);
    waiting_.erase(next);
  }

  std::vector<int> started;
  std::uint64_t gone = 0;

 private:
  static bool less_urgent(const one& a, const one& b) { return a.priority < b.priority; }

  const std::size_t limit_;
  std::vector<one> waiting_;
};

// A turn ends after each call.
class slow {
 public:
  explicit slow(std::shared_ptr<std::vector<int>> started) : started_(std::move(started)) {}
  void serve(context&, int number) {
    started_->push_back(number);
    stage::current().advance(1ms);
  }

 private:
  std::shared_ptr<std::vector<int>> started_;
};

// What a desk and the test share. The log is written by one call at a time, and read when all have
// been answered.
struct papers {
  std::atomic<bool> free{false};
  tally held;
  words log;
};

class desk {
 public:
  explicit desk(std::shared_ptr<papers> with) : with_(std::move(with)) {}

  task<void> hold(context& ctx) {
    with_->held.add();
    while (!with_->free) {
      co_await ctx.sleep(1ms);
    }
  }
  void note(context&, std::string word) { with_->log.push_back(word); }

  static endpoint_builder<desk> described(std::shared_ptr<papers> with) {
    return endpoint<desk>(std::move(with))
        .method("hold", &desk::hold)
        .method("note", &desk::note)
        .exclusive();
  }

 private:
  std::shared_ptr<papers> with_;
};

// Carries words to the desk.
class porter {
 public:
  task<void> carry(context& ctx, std::string word) {
    const auto to = ctx.client({.topic = "desk"});
    (co_await to.async_call<void>("note", word)).value();
  }
  task<void> carry_in_parts(context& ctx, std::string word) {
    co_await gather(carry(ctx, word), idle());
  }
  void carry_on_fiber(context& ctx, std::string word) {
    ctx.client({.topic = "desk"}).call<void>("note", word).value();
  }
  task<void> carry_at(context& ctx, std::string word, std::uint8_t priority) {
    const auto to = ctx.client({.topic = "desk"}).prepare({.priority = priority});
    (co_await to.async_call<void>("note", word)).value();
  }

  static endpoint_builder<porter> described() {
    return endpoint<porter>()
        .method("carry", &porter::carry)
        .method("carry_in_parts", &porter::carry_in_parts)
        .method("carry_on_fiber", &porter::carry_on_fiber, suspending)
        .method("carry_at", &porter::carry_at);
  }

 private:
  static task<void> idle() { co_return; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_queue)

BOOST_AUTO_TEST_CASE(of_no_calls_is_a_mistake) {
  BOOST_CHECK_THROW(endpoint<slow>(nullptr).queue_limit(0), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(told_so_drops_the_oldest_for_newer_ones) {
  scene s(3, queue_policy::drop_oldest);
  std::vector<std::uint64_t> ids;
  for (const auto* word : {"a", "b", "c", "d", "e"}) {
    ids.push_back(s.note_alone(word));
  }
  s.on.run();
  BOOST_TEST(s.on.activation->queued() == 3U);
  BOOST_TEST(s.let_go() == (words{"c", "d", "e"}), boost::test_tools::per_element());
  BOOST_TEST(went(s.on.of(ids[0]), "dropped from the full queue of 'stage' (3 calls) for newer"));
  BOOST_TEST(went(s.on.of(ids[1]), "dropped"));
  BOOST_TEST(s.counts().dropped.load() == 2U);
  BOOST_TEST(s.counts().refused.load() == 0U);
}

BOOST_AUTO_TEST_CASE(keeps_the_newest_of_a_frame_with_more_calls_than_it_takes) {
  scene s(3, queue_policy::drop_oldest);
  const auto waiting = s.note_alone("waiting");
  std::vector<std::uint64_t> ids;
  for (const auto* word : {"a", "b", "c", "d", "e"}) {
    ids.push_back(s.note(word));
  }
  s.on.run();
  BOOST_TEST(s.let_go() == (words{"c", "d", "e"}), boost::test_tools::per_element());
  for (const auto id : {waiting, ids[0], ids[1]}) {
    BOOST_TEST(went(s.on.of(id), "dropped"));
  }
  BOOST_TEST(s.counts().dropped.load() == 3U);
}

BOOST_AUTO_TEST_CASE(counts_the_casts_that_it_drops_and_refuses) {
  for (const auto policy : policies) {
    BOOST_TEST_CONTEXT(to_string(policy)) {
      scene s(3, policy);
      for (int i = 0; i < 5; ++i) {
        s.on.cast("note", "told");
        s.on.arrive();
      }
      s.on.run();
      BOOST_TEST(s.counts().dropped.load() + s.counts().refused.load() == 2U);
      BOOST_TEST(s.let_go().size() == 3U);
      BOOST_TEST(s.on.answers() == 1U);  // The first call's.
    }
  }
}

BOOST_AUTO_TEST_CASE(by_priority_starts_the_urgent_first_and_in_order_within_one) {
  for (const bool in_one_frame : {true, false}) {
    BOOST_TEST_CONTEXT("in one frame: " << in_one_frame) {
      scene s(10, queue_policy::by_priority);
      const std::vector<std::pair<std::string, std::uint8_t>> sent{
          {"a0", 0}, {"a7", 7}, {"a3", 3}, {"b0", 0}, {"b7", 7}, {"c7", 7}, {"b3", 3}};
      for (const auto& [word, priority] : sent) {
        s.note(word, priority);
        if (!in_one_frame) {
          s.on.arrive();
        }
      }
      s.on.run();
      BOOST_TEST(s.on.activation->queued() == sent.size());
      BOOST_TEST(s.let_go() == (words{"a7", "b7", "c7", "a3", "b3", "a0", "b0"}),
                 boost::test_tools::per_element());
      BOOST_TEST(s.on.activation->queued() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(full_by_priority_the_newest_of_the_least_urgent_go) {
  scene s(3, queue_policy::by_priority);
  std::map<std::string, std::uint64_t> ids;
  const std::vector<std::pair<std::string, std::uint8_t>> sent{
      {"a0", 0}, {"b0", 0}, {"c5", 5}, {"d7", 7}, {"e0", 0}, {"f5", 5}, {"g5", 5}, {"h7", 7}};
  for (const auto& [word, priority] : sent) {
    ids[word] = s.note_alone(word, priority);
    s.on.run();
    BOOST_TEST(s.on.activation->queued() <= 3U);
  }
  for (const auto* displaced : {"b0", "a0", "f5"}) {
    BOOST_TEST(went(s.on.of(ids[displaced]), "for more urgent ones"), displaced);
  }
  for (const auto* refused : {"e0", "g5"}) {
    BOOST_TEST(went(s.on.of(ids[refused]), "no room in the full queue"), refused);
  }
  BOOST_TEST(s.let_go() == (words{"d7", "h7", "c5"}), boost::test_tools::per_element());
  BOOST_TEST(s.counts().dropped.load() == 3U);
  BOOST_TEST(s.counts().refused.load() == 2U);
}

BOOST_AUTO_TEST_CASE(by_priority_leaves_each_call_its_chain) {
  scene s(10, queue_policy::by_priority);
  site elsewhere("elsewhere");
  const auto nobody = make_ref<rpc::caller>(elsewhere.loop(), rpc::caller::limits{});
  rpc::batch_list queue;
  rpc::call_lanes lanes;
  auto* mixed = new rpc::call_batch(*s.on.activation, nobody, wire::frame());
  rpc::arrived_call cast;
  cast.what = s.on.activation->definition().find("note");
  cast.wants_answer = false;
  std::vector<ref<rpc::call_chain>> chains;
  for (; cast.id < 4; ++cast.id) {
    cast.priority = static_cast<std::uint8_t>(cast.id);
    chains.push_back(make_ref<rpc::call_chain>(std::vector<wire::chain_link>()));
    mixed->add(cast, chains.back(), {});
  }
  mixed->add(cast);
  lanes.add(queue, *mixed);
  for (std::uint8_t i = 0; i < 4; ++i) {
    auto& of = lanes.of(queue, i).oldest();
    BOOST_TEST(of.front().id == i);
    BOOST_TEST((of.chain_of(of.front()).get() == chains[i].get()));
  }
  BOOST_TEST((lanes.of(queue, 3).oldest().chain_of(queue.newest().newest()).get() == nullptr));
  for (; !queue.empty(); lanes.refill(queue)) {
    queue.remove(queue.oldest());
  }
}

BOOST_AUTO_TEST_CASE(by_priority_does_in_any_order_of_events_as_its_model) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      std::mt19937 random(seed);
      const auto started = std::make_shared<std::vector<int>>();
      const std::size_t limit = 1 + random() % 20;
      stage on(endpoint<slow>(started)
                   .method("serve", &slow::serve)
                   .queue_limit(limit, queue_policy::by_priority));
      model expected(limit);
      int number = 0;
      for (int step = 0; step < 300; ++step) {
        if (random() % 3 == 0) {
          std::vector<model::one> frame(1 + random() % 6);
          for (auto& each : frame) {
            each = {++number, static_cast<std::uint8_t>(random() % 8)};
            on.set_priority(each.priority);
            on.call("serve", each.number);
          }
          on.arrive();
          expected.arrive(frame);
        }
        if (!expected.empty()) {
          on.turn();
          expected.start();
        }
      }
      on.run();
      while (!expected.empty()) {
        expected.start();
      }
      BOOST_TEST(*started == expected.started, boost::test_tools::per_element());
      const auto& counts = on.activation->counts();
      BOOST_TEST(counts.refused.load() + counts.dropped.load() == expected.gone);
      BOOST_TEST(on.answers() == static_cast<std::size_t>(number));
    }
  }
}

BOOST_AUTO_TEST_CASE(gives_the_room_of_expired_calls_to_newcomers) {
  for (const auto policy : policies) {
    BOOST_TEST_CONTEXT(to_string(policy)) {
      scene s(3, policy);
      const auto good = s.note("good", 6);
      s.on.set_priority(7);
      const auto soon = deadline::after(s.on.now(), 5ms);
      const auto late = s.on.call_until(soon, "note", "late");
      const auto later = s.on.call_until(soon, "note", "later");
      s.on.run();
      s.on.advance(5ms);
      const auto next = s.note_alone("next");
      const auto last = s.note_alone("last");
      s.on.run();
      for (const auto id : {late, later}) {
        BOOST_TEST(failed_once(s.on.of(id), errc::expired));
        BOOST_TEST((s.on.of(id).failure->execution() == execution::not_run));
      }
      BOOST_TEST(s.counts().expired.load() == 2U);
      BOOST_TEST(s.let_go() == (words{"good", "next", "last"}), boost::test_tools::per_element());
      for (const auto id : {good, next, last}) {
        BOOST_TEST(!s.on.of(id).failure);
      }
    }
  }
}

// Until the first of those that had waited then would have expired, nobody looked again.
BOOST_AUTO_TEST_CASE(looks_again_for_expired_calls_that_came_later) {
  for (const auto policy : policies) {
    BOOST_TEST_CONTEXT(to_string(policy)) {
      scene s(2, policy);
      s.on.set_priority(7);
      const auto later = s.on.call_until(deadline::after(s.on.now(), 1min), "note", "later");
      const auto late = s.on.call_until(deadline::after(s.on.now(), 1ms), "note", "late");
      s.on.run();
      s.on.advance(20ms);
      const auto soon =
          s.on.call_until(deadline::after(s.on.now(), 1ms), "note", "soon");  // For `late`.
      s.on.run();
      s.on.advance(20ms);
      const auto next = s.note_alone("next");
      s.on.run();
      BOOST_TEST(failed_once(s.on.of(late), errc::expired));
      BOOST_TEST(failed_once(s.on.of(soon), errc::expired));
      BOOST_TEST(s.let_go() == (words{"later", "next"}), boost::test_tools::per_element());
      BOOST_TEST(!s.on.of(later).failure);
      BOOST_TEST(!s.on.of(next).failure);
    }
  }
}

// It was busy refusing: a turn saw nothing but frames with calls that there was no room for.
BOOST_AUTO_TEST_CASE(serves_while_it_refuses_many) {
  for (const auto policy : policies) {
    BOOST_TEST_CONTEXT(to_string(policy)) {
      const auto with = std::make_shared<script>();
      stage on(scripted::described(with).queue_limit(1000, policy));
      constexpr std::size_t frames = 2 * rpc::activation::max_calls;
      for (std::size_t frame = 0; frame < frames; ++frame) {
        for (int i = 0; i < 100; ++i) {
          on.cast("note", "told");
        }
        on.arrive();
      }
      on.turn();
      BOOST_TEST(with->log.size() > rpc::activation::max_calls / 2);
      on.run();
      BOOST_TEST(ended(on.activation->counts()) == frames * 100);
    }
  }
}

// Between two calls it looked at fifteen frames, however long a call took: of 5000 that came in a
// second to a handler of 10 ms two thirds waited unseen, and were never told that there was no
// room.
BOOST_AUTO_TEST_CASE(refuses_soon_although_its_handlers_take_long) {
  const auto started = std::make_shared<std::vector<int>>();
  stage on(endpoint<slow>(started).method("serve", &slow::serve).queue_limit(3));
  constexpr int frames = 200;
  for (int i = 0; i < frames; ++i) {
    on.cast("serve", i);
    on.arrive();
  }
  for (int turn = 0; turn < 3; ++turn) {
    on.turn();
  }
  BOOST_TEST(started->size() <= 3U);
  BOOST_TEST(on.activation->counts().refused.load() >= 190U);
  on.run();
  BOOST_TEST(ended(on.activation->counts()) == frames);
}

BOOST_AUTO_TEST_CASE(refuses_what_nobody_looks_at_once_there_is_a_lot_of_it) {
  for (const auto policy : policies) {
    BOOST_TEST_CONTEXT(to_string(policy)) {
      const auto with = std::make_shared<script>();
      stage on(scripted::described(with).queue_limit(3, policy));
      constexpr std::uint64_t most = rpc::activation::most_unseen;
      std::uint64_t sent = 0;
      const auto send = [&](std::uint64_t casts) {
        for (std::uint64_t i = 0; i < casts; ++i) {
          on.cast("note", "told");
        }
        on.arrive();
        sent += casts;
      };
      for (int i = 0; i < 100; ++i) {
        send(most / 100 + 1);
      }
      BOOST_TEST(on.activation->queued() >= most);
      BOOST_TEST(on.activation->queued() == sent);
      const auto refused = on.call("note", "asked");
      on.arrive();
      send(50);
      BOOST_TEST(on.activation->queued() == sent - 50);
      BOOST_TEST(on.activation->counts().refused.load() == 51U);
      BOOST_TEST(went(on.of(refused), "does not even look"));  // And no turn was needed.
      on.run();
      BOOST_TEST(with->log.size() >= 3U);
      BOOST_TEST(on.activation->queued() == 0U);
      BOOST_TEST(ended(on.activation->counts()) == sent + 1);
      const auto again = on.call("note", "again");
      on.run();
      BOOST_TEST(!on.of(again).failure);
    }
  }
}

BOOST_AUTO_TEST_CASE(counts_each_call_once_however_it_ends) {
  for (const auto policy : policies) {
    BOOST_TEST_CONTEXT(to_string(policy)) {
      scene s(6, policy);
      std::uint64_t sent = 1;
      for (const auto* method : {"throw_exception", "result_error", "no_bytes", "result_nothing"}) {
        s.on.set_priority(static_cast<std::uint8_t>(sent));
        s.on.call(method);
        ++sent;
      }
      s.on.call_until(deadline::after(s.on.now(), 5ms), "note", "late");
      s.on.call_until(deadline::after(s.on.now(), 8ms), "take_time", 10);
      s.on.cast("note", "told");
      s.on.call("add", "no number");
      sent += 4;
      s.on.run();
      BOOST_TEST(s.on.activation->queued() == 6U);
      s.on.advance(6ms);
      s.let_go();
      BOOST_TEST(s.on.activation->queued() == 0U);
      BOOST_TEST(s.on.activation->running() == 0U);
      BOOST_TEST(ended(s.counts()) == sent);
      BOOST_TEST(s.counts().refused.load() + s.counts().dropped.load() == 2U);
      s.on.activation->stop();
      s.on.run();
      s.note("too late");
      s.on.run();
      BOOST_TEST(ended(s.counts()) == sent + 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(answers_everybody_once_when_it_is_stopped_or_ended) {
  for (const auto policy : policies) {
    for (const bool ends : {false, true}) {
      BOOST_TEST_CONTEXT(to_string(policy) << ", ends: " << ends) {
        scene s(100, policy);
        std::vector<std::uint64_t> ids;
        for (int i = 0; i < 100; ++i) {
          ids.push_back(s.note("never", static_cast<std::uint8_t>(i % 8)));
          if (i % 7 == 0) {
            s.on.arrive();
          }
        }
        s.on.run();
        if (ends) {
          s.on.activation->end();
        } else {
          s.on.activation->stop();
        }
        s.on.run();
        for (const auto id : ids) {
          BOOST_TEST(failed_once(s.on.of(id), errc::stopping));
        }
        BOOST_TEST(s.on.activation->queued() == 0U);
        BOOST_TEST(s.counts().refused.load() == 100U);
        s.with->open(0);
        s.on.run();
        BOOST_TEST(s.on.of(s.first).count == 1);
        BOOST_TEST(failed_once(s.on.of(s.first), errc::cancelled) == ends);
        BOOST_TEST(s.on.activation->quiet());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(ended_while_busy_answers_every_caller_once) {
  for (const auto executor : executors::policies()) {
    for (const auto policy : policies) {
      BOOST_TEST_CONTEXT(executor << ", " << to_string(policy)) {
        const auto with = std::make_shared<papers>();
        pair nodes(executor);
        auto& activation =
            nodes.back.serve({.topic = "desk"}, desk::described(with).queue_limit(65'536, policy));
        nodes.connect();
        const auto to = nodes.client({.topic = "desk"});
        auto running = to.future_call<void>("hold");
        BOOST_TEST_REQUIRE(with->held.reaches(1));
        std::vector<std::future<result<void>>> queued;
        for (int i = 0; i < 2000; ++i) {
          const auto priority = static_cast<std::uint8_t>(i % 8);
          queued.push_back(to.prepare({.priority = priority}).future_call<void>("note", "never"));
        }
        BOOST_TEST_REQUIRE(eventually([&] { return activation.queued() == 2000; }));
        activation.end();
        BOOST_TEST((running.get().error() == errc::cancelled));
        for (auto& each : queued) {
          const auto got = each.get();
          BOOST_TEST_REQUIRE((got.error() == errc::stopping));
          BOOST_TEST_REQUIRE((got.error().execution() == execution::not_run));
        }
        BOOST_TEST((to.call<void>("note", "later").error() == errc::stopping));
        // A second answer to any of them would have come before that.
        BOOST_TEST(nodes.front.connector().counts().answered.load() == 2002U);
        BOOST_TEST(nodes.front.connector().counts().late.load() == 0U);
        BOOST_TEST(with->log.empty());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(heeds_the_priority_that_a_client_gives_its_calls) {
  for (const auto executor : executors::policies()) {
    BOOST_TEST_CONTEXT(executor) {
      const auto with = std::make_shared<papers>();
      pair nodes(executor);
      auto& activation = nodes.back.serve(
          {.topic = "desk"}, desk::described(with).queue_limit(10, queue_policy::by_priority));
      nodes.connect();
      const auto usual = nodes.client({.topic = "desk"});
      const auto urgent = usual.prepare({.priority = 5});
      const auto most_urgent = urgent.prepare({.timeout = 10s}).prepare({.priority = 99});
      auto running = usual.future_call<void>("hold");
      BOOST_TEST_REQUIRE(with->held.reaches(1));
      BOOST_TEST(usual.cast("note", "cast 0").has_value());
      BOOST_TEST(urgent.cast("note", "cast 5").has_value());
      std::vector<std::future<result<void>>> out;
      out.push_back(usual.future_call<void>("note", "0"));
      out.push_back(urgent.future_call<void>("note", "5"));
      out.push_back(urgent.prepare({.timeout = 10s}).future_call<void>("note", "5 too"));
      out.push_back(most_urgent.future_call<void>("note", "99"));
      out.push_back(usual.prepare({.priority = 7}).future_call<void>("note", "7"));
      BOOST_TEST_REQUIRE(eventually([&] { return activation.queued() == 7; }));
      with->free = true;
      BOOST_TEST(running.get().has_value());
      for (auto& each : out) {
        BOOST_TEST(each.get().has_value());
      }
      // What is over the highest is as urgent as the highest.
      BOOST_TEST(with->log == (words{"99", "7", "cast 5", "5", "5 too", "cast 0", "0"}),
                 boost::test_tools::per_element());
    }
  }
}

// An urgent call must not wait for calls that its handlers make.
BOOST_AUTO_TEST_CASE(takes_the_priority_of_calls_in_a_handler_from_the_call_that_it_serves) {
  for (const auto executor : executors::policies()) {
    BOOST_TEST_CONTEXT(executor) {
      const auto with = std::make_shared<papers>();
      pair nodes(executor);
      auto& activation = nodes.back.serve(
          {.topic = "desk"}, desk::described(with).queue_limit(10, queue_policy::by_priority));
      nodes.back.serve({.topic = "porter"}, porter::described());
      nodes.connect();
      const auto desk = nodes.client({.topic = "desk"});
      const auto porter = nodes.client({.topic = "porter"});
      const auto urgent = porter.prepare({.priority = 4});
      auto running = desk.future_call<void>("hold");
      BOOST_TEST_REQUIRE(with->held.reaches(1));
      std::vector<std::future<result<void>>> out;
      const auto wait_for = [&](std::future<result<void>> sent) {
        out.push_back(std::move(sent));
        BOOST_TEST_REQUIRE(eventually([&] { return activation.queued() == out.size(); }));
      };
      wait_for(porter.future_call<void>("carry", "0"));
      wait_for(urgent.future_call<void>("carry", "4"));
      wait_for(urgent.future_call<void>("carry_in_parts", "4 in parts"));
      wait_for(urgent.future_call<void>("carry_on_fiber", "4 on a fiber"));
      wait_for(urgent.future_call<void>("carry_at", "1, not 4", 1));
      wait_for(porter.future_call<void>("carry_at", "5, not 0", 5));
      with->free = true;
      BOOST_TEST(running.get().has_value());
      for (auto& each : out) {
        BOOST_TEST(each.get().has_value());
      }
      BOOST_TEST(
          with->log == (words{"5, not 0", "4", "4 in parts", "4 on a fiber", "1, not 4", "0"}),
          boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(takes_a_priority_that_it_does_not_know_for_the_highest) {
  const auto with = std::make_shared<papers>();
  site back("back");
  auto& activation = back.serve({.topic = "desk"},
                                desk::described(with).queue_limit(10, queue_policy::by_priority));
  fake_peer peer(back);
  peer.attach();
  peer.declare(0, "desk", "hold");
  peer.declare(1, "desk", "note");
  wire::batch batch(wire::plane::data);
  std::uint64_t last = 0;
  const auto call = [&](std::uint32_t route, std::uint8_t priority, const auto&... arguments) {
    wire::call_head head;
    head.id = ++last;
    head.route = route;
    head.priority = priority;
    head.write(batch.begin(wire::kind::call, wire::call_head::size));
    wire::pack_arguments(batch.bytes(), arguments...);
    batch.finish();
  };
  call(0, 0);
  peer.feed(batch.take());
  BOOST_TEST_REQUIRE(with->held.reaches(1));
  call(1, 6, "6");
  call(1, 255, "255");
  call(1, 7, "7");
  peer.feed(batch.take());
  BOOST_TEST_REQUIRE(eventually([&] { return activation.queued() == 3; }));
  with->free = true;
  BOOST_TEST(eventually([&] { return peer.replies() == 4; }));
  BOOST_TEST(with->log == (words{"255", "7", "6"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::queue_test
