#pragma once

#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>

#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace mailroom::tests {

/// What the handlers of a `waiting` endpoint tell the test, and the test them.
struct waiting_room {
  tally started;
  tally ended;  ///< However they ended.
};

/// Handlers that wait for others.
class waiting {
 public:
  explicit waiting(std::shared_ptr<waiting_room> with) : with_(std::move(with)) {}

  /// Waits until `wanted` calls are here.
  task<int> join(context&, int wanted) {
    const leaving seen{*with_};
    with_->started.add();
    if (++arrived_ < wanted) {
      co_await async::until(waits_.emplace_back());
    } else {
      let_go();
    }
    co_return wanted;
  }
  int join_on_fiber(context&, int wanted) {
    const leaving seen{*with_};
    with_->started.add();
    if (++arrived_ < wanted) {
      async::wait(waits_.emplace_back());
    } else {
      let_go();
    }
    return wanted;
  }
  void go(context&) { let_go(); }
  std::string repeat(context&, std::size_t length) { return std::string(length, 'x'); }
  void burn(context&, int microseconds) {
    const auto until = clock::now() + std::chrono::microseconds(microseconds);
    while (clock::now() < until) {
    }
    with_->ended.add();
  }

  static endpoint_builder<waiting> described(std::shared_ptr<waiting_room> with) {
    return endpoint<waiting>(std::move(with))
        .method("join", &waiting::join)
        .method("join_on_fiber", &waiting::join_on_fiber, suspending)
        .method("go", &waiting::go)
        .method("repeat", &waiting::repeat)
        .method("burn", &waiting::burn);
  }

 private:
  struct leaving {
    waiting_room& room;
    ~leaving() { room.ended.add(); }
  };

  void let_go() {
    for (auto& each : waits_) {
      each.complete();
    }
  }

  std::shared_ptr<waiting_room> with_;
  std::deque<async::event> waits_;
  int arrived_ = 0;
};

}  // namespace mailroom::tests
