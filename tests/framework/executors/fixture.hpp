#pragma once

#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom::tests {

/// An item that runs a function.
struct job {
  std::function<executors::verdict(executors::executor&)> turn;

  static executors::verdict run(void* item, executors::executor& where) noexcept {
    return static_cast<job*>(item)->turn(where);
  }
};

/// One executor of each policy with what it needs around it.
struct station {
  explicit station(std::string_view policy,
                   std::size_t workers = 2,
                   bool started = true,
                   executors::turn_watch* watch = nullptr,
                   std::size_t spares = 0)
      : is_loop_bound(policy == "loop-bound") {
    if (is_loop_bound) {
      for (std::size_t i = 0; i != workers; ++i) {
        loops.push_back(std::make_unique<executors::event_loop>("mr-loop-" + std::to_string(i),
                                                                platform::system()));
        loops.back()->start();
      }
    }
    executors::executor::options with;
    with.name = "tested";
    with.workers = workers;
    with.run = &job::run;
    with.watch = watch;
    with.spares = spares;
    for (const auto& loop : loops) {
      with.loops.push_back(loop.get());
    }
    auto made = executors::make_executor(policy, std::move(with));
    BOOST_REQUIRE(made);
    under_test = *std::move(made);
    if (started) {
      under_test->start();
    }
  }

  ~station() {
    under_test.reset();
    for (const auto& loop : loops) {
      loop->stop();
    }
  }

  station(const station&) = delete;
  station& operator=(const station&) = delete;

  executors::executor* operator->() const { return under_test.get(); }

  /// Runs `turn` once as an item and waits for its end.
  void run_once(std::function<void()> turn,
                executors::affinity where = executors::affinity::anywhere()) {
    const auto done = std::make_shared<tally>();
    // Kept: the turn may still be returning when we go on.
    onces.push_back(std::make_unique<job>(job{[done, turn = std::move(turn)](executors::executor&) {
      turn();
      done->add();
      return executors::verdict::done;
    }}));
    under_test->submit(onces.back().get(), where);
    BOOST_REQUIRE(done->reaches(1));
  }

  /// From inside a turn: has `turn` run as another item, for `wait_for_next`.
  void submit_next(std::function<void()> turn, executors::affinity where) {
    next_done = std::make_shared<tally>();
    onces.push_back(
        std::make_unique<job>(job{[done = next_done, turn = std::move(turn)](executors::executor&) {
          turn();
          done->add();
          return executors::verdict::done;
        }}));
    under_test->submit(onces.back().get(), where);
  }

  void wait_for_next() { BOOST_REQUIRE(next_done->reaches(1)); }

  bool is_loop_bound;
  std::shared_ptr<tally> next_done;
  std::vector<std::unique_ptr<job>> onces;
  std::vector<std::unique_ptr<executors::event_loop>> loops;
  std::unique_ptr<executors::executor> under_test;
};

}  // namespace mailroom::tests
