#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/executors/injection_queue.hpp>
#include <mailroom/framework/executors/parker.hpp>
#include <mailroom/framework/executors/run_queue.hpp>
#include <mailroom/framework/executors/turn_queue.hpp>
#include <mailroom/framework/executors/work_stealing_worker.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

using namespace mailroom;
using namespace mailroom::executors;
using namespace mailroom::tests;

// The queues as executors use them, by threads that do at random whatever they may: what is put in
// must come out once, and nobody may sleep beside it. Built twice: MAILROOM_STRESS_OPERATIONS says
// how many times something is put in or taken out.

namespace {

constexpr std::size_t operations = MAILROOM_STRESS_OPERATIONS;

class dice {
 public:
  explicit dice(std::size_t seed) : state_(static_cast<std::uint32_t>(seed) * 2654435761U + 1U) {}
  std::uint32_t below(std::uint32_t sides) {
    state_ = state_ * 1664525U + 1013904223U;
    return (state_ >> 8U) % sides;
  }

 private:
  std::uint32_t state_;
};

using item = std::atomic<std::uint8_t>;  // How often it came out.

// Items that nobody has put in yet.
class supply {
 public:
  explicit supply(std::size_t count) : items_(count) {}

  /// Null if there are no more. @threadsafe
  void* next() {
    const std::size_t at = next_.fetch_add(1, std::memory_order_relaxed);
    return at < items_.size() ? &items_[at] : nullptr;
  }
  /// Returns whether it was the last. @threadsafe
  bool came_out(void* one) {
    static_cast<item*>(one)->fetch_add(1, std::memory_order_relaxed);
    return out_.fetch_add(1, std::memory_order_acq_rel) + 1 == items_.size();
  }
  std::size_t not_once() const {
    return static_cast<std::size_t>(
        std::count_if(items_.begin(), items_.end(), [](const item& each) { return each != 1; }));
  }

 private:
  std::vector<item> items_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> out_{0};
};

// Workers with a queue and a slot each, who steal from each other, and threads that inject.
class workshop {
 public:
  static constexpr std::size_t workers = 3;
  static constexpr std::size_t producers = 2;

  explicit workshop(std::size_t items) : items_(items) {}

  void run() {
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w != workers; ++w) {
      threads.emplace_back([this, w] { work(w); });
    }
    for (std::size_t p = 0; p != producers; ++p) {
      threads.emplace_back([this, p] { produce(workers + p); });
    }
    for (auto& each : threads) {
      each.join();
    }
  }

  std::size_t not_once() const { return items_.not_once(); }
  bool overslept() const { return overslept_; }
  std::uint64_t stolen() const { return stolen_; }
  std::uint64_t slept() const { return slept_; }

 private:
  struct bench {
    run_queue queue;
    last_in_slot slot;
    parker sleep;
  };

  void work(std::size_t self) {
    dice random(self);
    bench& mine = all_[self];
    while (!over_) {
      switch (random.below(8)) {
        case 0:
        case 1: put(mine, random.below(40) + 1); break;
        case 2: take_out(mine.slot.take()); break;
        case 3: steal(self, random.below(workers)); break;
        default:
          if (!take_out(mine.queue.pop()) && !take_out(mine.slot.take()) &&
              !steal(self, (self + 1) % workers) && !steal(self, (self + 2) % workers) &&
              !take_out(injected_.take_share(mine.queue, workers))) {
            park(mine);
          }
      }
    }
  }

  void produce(std::size_t self) {
    dice random(self);
    std::array<void*, 8> some{};
    for (bool more = true; more;) {
      const std::size_t wanted = random.below(some.size()) + 1;
      std::size_t count = 0;
      while (count != wanted && (some[count] = items_.next()) != nullptr) {
        ++count;
      }
      more = count == wanted;
      injected_.push({some.data(), count});
      wake_one(self);
      if (random.below(16) == 0) {
        std::this_thread::yield();
      }
    }
  }

  void put(bench& mine, std::uint32_t count) {
    for (; count != 0; --count) {
      void* const next = items_.next();
      if (next == nullptr) {
        return;
      }
      if (void* const before = mine.slot.put(next)) {
        while (!mine.queue.push(before)) {
          std::array<void*, run_queue::capacity / 2> older{};
          injected_.push({older.data(), mine.queue.spill(older)});
        }
        wake_one(count);
      }
    }
  }

  bool steal(std::size_t self, std::size_t from) {
    if (from == self || all_[self].queue.size() != 0) {
      return false;
    }
    void* first = nullptr;
    const auto count = all_[from].queue.steal(all_[self].queue, first);
    stolen_ += count;
    return take_out(count != 0 ? first : all_[from].slot.take());
  }

  bool take_out(void* one) {
    if (one == nullptr) {
      return false;
    }
    if (items_.came_out(one)) {
      over_ = true;
      for (auto& each : all_) {
        each.sleep.wake();
      }
    }
    return true;
  }

  void wake_one(std::size_t first) {
    for (std::size_t i = 0; i != workers; ++i) {
      if (all_[(first + i) % workers].sleep.wake()) {
        return;
      }
    }
  }

  // Slots do not count: their owners are awake, or have looked there.
  bool sees_work() const {
    return over_ || !injected_.empty() ||
           std::any_of(
               all_.begin(), all_.end(), [](const auto& each) { return each.queue.size() != 0; });
  }

  void park(bench& mine) {
    mine.sleep.announce();
    if (!sees_work()) {
      ++slept_;
      // If all sleep and something is left, nobody will wake them.
      if (!mine.sleep.sleep(clock::now() + patience)) {
        overslept_ = true;
        over_ = true;
      }
    }
    mine.sleep.stay_awake();
  }

  supply items_;
  std::array<bench, workers> all_;
  injection_queue injected_;
  std::atomic<bool> over_{false};
  std::atomic<bool> overslept_{false};
  std::atomic<std::uint64_t> stolen_{0};
  std::atomic<std::uint64_t> slept_{0};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(queues_stress)

BOOST_AUTO_TEST_CASE(stealing_queues_lose_nothing_and_give_nothing_twice) {
  workshop at(operations / 2);
  at.run();
  BOOST_TEST(!at.overslept());
  BOOST_TEST(at.not_once() == 0U);
  BOOST_TEST_MESSAGE("stolen " << at.stolen() << ", slept " << at.slept());
}

BOOST_AUTO_TEST_CASE(an_owned_queue_keeps_the_order_of_each_who_submits) {
  constexpr std::size_t producers = 3;
  constexpr std::size_t each = operations / 2 / (producers + 1);
  struct numbered {
    std::size_t by = 0;
    std::size_t number = 0;
  };
  std::vector<numbered> items;
  for (std::size_t by = 0; by != producers + 1; ++by) {
    for (std::size_t number = 0; number != each; ++number) {
      items.push_back({by, number});
    }
  }
  turn_queue queue;
  parker sleep;
  std::vector<std::thread> threads;
  for (std::size_t by = 0; by != producers; ++by) {
    threads.emplace_back([&, by] {
      dice random(by);
      for (std::size_t number = 0; number != each; ++number) {
        queue.push_from_outside(&items[by * each + number]);
        sleep.wake();
        if (random.below(100) == 0) {
          std::this_thread::yield();
        }
      }
    });
  }
  std::array<std::size_t, producers + 1> expected{};
  std::size_t wrong = 0;
  std::uint64_t slept = 0;
  bool overslept = false;
  dice random(producers);
  std::size_t own = 0;  // What the owner has submitted itself.
  for (std::size_t left = items.size(); left != 0 && !overslept;) {
    if (own != each && random.below(4) == 0) {
      queue.push(&items[producers * each + own++]);
    }
    if (auto* const next = static_cast<numbered*>(queue.pop())) {
      wrong += next->number == expected[next->by]++ ? 0U : 1U;
      --left;
    } else if (own == each || random.below(2) == 0) {
      sleep.announce();
      if (queue.empty() && own == each) {
        ++slept;
        overslept = !sleep.sleep(clock::now() + patience);
      }
      sleep.stay_awake();
    }
  }
  for (auto& thread : threads) {
    thread.join();
  }
  BOOST_TEST(!overslept);
  BOOST_TEST(wrong == 0U);
  BOOST_TEST(queue.close().empty());
  BOOST_TEST_MESSAGE("slept " << slept);
}

BOOST_AUTO_TEST_SUITE_END()
