#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/executors/blocking_pool.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::tests::blocking_pool_test {
namespace {

using executors::blocking_pool;

// Does what it is told and counts how it ended.
class errand final : public blocking_pool::job {
 public:
  explicit errand(std::function<void()> what = {}) : what_(std::move(what)) {}
  ~errand() override = default;
  void run() noexcept override {
    if (what_) {
      what_();
    }
    const auto kept = ran_;  // Its `add` may still be returning when this is gone.
    kept->add();
  }
  void dropped() noexcept override {
    const auto kept = dropped_;
    kept->add();
  }

  bool runs() const { return ran_->reaches(1); }
  bool is_dropped() const { return dropped_->reaches(1); }
  int times_run() const { return ran_->value(); }
  int times_dropped() const { return dropped_->value(); }

 private:
  std::function<void()> what_;
  std::shared_ptr<tally> ran_ = std::make_shared<tally>();
  std::shared_ptr<tally> dropped_ = std::make_shared<tally>();
};

// Errands that occupy their threads until they are let go.
class crowd {
 public:
  crowd(blocking_pool& pool, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      all_.push_back(std::make_unique<errand>([arrived = here_, gone = gone_] {
        arrived->add();
        gone.wait();
      }));
      pool.submit(*all_.back());
    }
  }
  ~crowd() { let_go(); }
  bool gathers(int so_many) { return here_->reaches(so_many); }
  int here() { return here_->value(); }
  void let_go() {
    if (!std::exchange(let_go_, true)) {
      go_.set_value();
    }
    for (auto& each : all_) {
      each->runs();
    }
  }

 private:
  std::shared_ptr<tally> here_ = std::make_shared<tally>();
  std::promise<void> go_;
  std::shared_future<void> gone_{go_.get_future()};
  bool let_go_ = false;
  std::vector<std::unique_ptr<errand>> all_;
};

// Where threads cannot be had after the first few.
class poor_platform final : public platform {
 public:
  explicit poor_platform(int threads) : left_(threads) {}
  time_point now() const noexcept override { return system().now(); }
  void random(std::span<std::byte> bytes) override { system().random(bytes); }
  std::thread start_thread(const std::string& name, std::function<void()> body) override {
    if (left_.fetch_sub(1) <= 0) {
      throw std::system_error(EAGAIN, std::generic_category());
    }
    return system().start_thread(name, std::move(body));
  }

 private:
  std::atomic<int> left_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(executors_blocking_pool)

BOOST_AUTO_TEST_CASE(has_no_thread_before_the_first_job) {
  blocking_pool pool(4);
  BOOST_TEST(pool.stats().threads == 0U);
  errand one;
  pool.submit(one);
  BOOST_TEST(one.runs());
  BOOST_TEST(pool.stats().threads == 1U);
}

BOOST_AUTO_TEST_CASE(names_its_threads) {
  blocking_pool pool(2);
  BOOST_TEST(!pool.on_own_thread());
  std::string name;
  bool own = false;
  errand one([&] {
    name = this_thread_name();
    own = pool.on_own_thread();
  });
  pool.submit(one);
  BOOST_TEST(one.runs());
  BOOST_TEST(name == "mr-block-0");
  BOOST_TEST(own);
}

BOOST_AUTO_TEST_CASE(uses_a_thread_again_before_it_makes_another) {
  blocking_pool pool(8);
  for (int i = 0; i < 50; ++i) {
    errand one;
    pool.submit(one);
    BOOST_TEST(one.runs());
    // Its thread still has to come back to the queue.
    BOOST_TEST(eventually([&] { return pool.stats().running == 0; }));
  }
  BOOST_TEST(pool.stats().threads <= 2U);
}

BOOST_AUTO_TEST_CASE(makes_as_many_threads_as_run_at_once_up_to_its_bound) {
  blocking_pool pool(3);
  crowd five(pool, 5);
  BOOST_TEST(five.gathers(3));
  BOOST_TEST(pool.stats().threads == 3U);
  BOOST_TEST(pool.stats().running == 3U);
  BOOST_TEST(pool.stats().queued == 2U);
  BOOST_TEST(five.here() == 3);
  five.let_go();
  BOOST_TEST(five.here() == 5);
}

BOOST_AUTO_TEST_CASE(runs_what_waits_in_the_order_of_its_coming) {
  blocking_pool pool(1);
  crowd before(pool, 1);
  BOOST_TEST(before.gathers(1));
  std::vector<int> order;
  std::vector<std::unique_ptr<errand>> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(std::make_unique<errand>([&order, i] { order.push_back(i); }));
    pool.submit(*all.back());
  }
  before.let_go();
  for (auto& each : all) {
    BOOST_TEST(each->runs());
  }
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(order[static_cast<std::size_t>(i)] == i);
  }
}

BOOST_AUTO_TEST_CASE(gives_back_what_has_not_begun) {
  blocking_pool pool(1);
  crowd before(pool, 1);
  BOOST_TEST(before.gathers(1));
  errand first;
  errand second;
  errand third;
  for (auto* each : {&first, &second, &third}) {
    pool.submit(*each);
  }
  BOOST_TEST(pool.take_back(second));
  BOOST_TEST(!pool.take_back(second));
  BOOST_TEST(pool.stats().queued == 2U);
  before.let_go();
  BOOST_TEST(first.runs());
  BOOST_TEST(third.runs());
  BOOST_TEST(!pool.take_back(first));
  BOOST_TEST(second.times_run() == 0);
}

BOOST_AUTO_TEST_CASE(stops_after_what_runs_and_drops_what_waits) {
  blocking_pool pool(1);
  crowd running(pool, 1);
  BOOST_TEST(running.gathers(1));
  errand waiting;
  pool.submit(waiting);
  bool dropped = false;
  std::thread soon([&] {
    dropped = waiting.is_dropped();
    running.let_go();
  });
  BOOST_TEST(pool.stop(clock::now() + 30s) == 0U);
  soon.join();
  BOOST_TEST(dropped);
  BOOST_TEST(waiting.times_run() == 0);
  errand late;
  pool.submit(late);
  BOOST_TEST(late.times_dropped() == 1);
}

BOOST_AUTO_TEST_CASE(does_not_wait_longer_than_it_was_told_for_what_hangs) {
  std::promise<void> go;
  errand hanging([&] { go.get_future().wait(); });
  {
    blocking_pool pool(2);
    errand quick;
    pool.submit(hanging);
    pool.submit(quick);
    BOOST_TEST(quick.runs());
    BOOST_TEST(pool.stop(clock::now() + 10ms) == 1U);
  }
  go.set_value();  // Its thread is left to itself, and ends after it.
  BOOST_TEST(hanging.runs());
}

BOOST_AUTO_TEST_CASE(goes_on_with_the_threads_that_it_could_get) {
  poor_platform host(1);
  blocking_pool pool(4, host);
  crowd three(pool, 3);
  BOOST_TEST(three.gathers(1));
  BOOST_TEST(pool.stats().threads == 1U);
  three.let_go();
  BOOST_TEST(three.here() == 3);
}

BOOST_AUTO_TEST_CASE(drops_what_it_has_no_thread_for_at_all) {
  poor_platform host(0);
  blocking_pool pool(4, host);
  errand one;
  pool.submit(one);
  BOOST_TEST(one.times_dropped() == 1);
}

BOOST_AUTO_TEST_CASE(loses_nothing_of_what_many_threads_submit) {
  constexpr std::size_t submitters = 4;
  constexpr std::size_t each_submits = 500;
  blocking_pool pool(3);
  std::vector<std::unique_ptr<errand>> all;
  for (std::size_t i = 0; i < submitters * each_submits; ++i) {
    all.push_back(std::make_unique<errand>());
  }
  std::vector<std::thread> threads;
  for (std::size_t s = 0; s < submitters; ++s) {
    threads.emplace_back([&, s] {
      for (std::size_t i = 0; i < each_submits; ++i) {
        pool.submit(*all[s * each_submits + i]);
      }
    });
  }
  for (auto& each : threads) {
    each.join();
  }
  for (auto& each : all) {
    BOOST_REQUIRE(each->runs());
  }
  BOOST_TEST(pool.stats().queued == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::blocking_pool_test
