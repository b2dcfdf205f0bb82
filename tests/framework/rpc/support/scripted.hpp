#pragma once

#include <mailroom/tests/framework/rpc/support/stage.hpp>

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace mailroom::tests {

/// Cannot be packed.
struct unpackable {
  template <class Packer>
  void msgpack_pack(Packer& into) const {
    into.pack_array(2);
    into.pack(1);
    throw std::length_error("no bytes for this");
  }
  void msgpack_unpack(const msgpack::object&) {}
};

/// What the handlers of a `scripted` endpoint share with the test.
struct script {
  std::vector<std::string> log;
  std::deque<async::event> gates = std::deque<async::event>(8);
  int unwound = 0;

  void open(std::size_t gate) { gates[gate].complete(); }
};

/// An endpoint whose handlers do what tests need.
class scripted {
 public:
  explicit scripted(std::shared_ptr<script> with) : script_(std::move(with)) {}

  int add(context&, int a, int b) { return a + b; }
  void note(context&, std::string word) { script_->log.push_back(word); }
  std::string repeat(context&, std::size_t length) { return std::string(length, 'x'); }

  int throw_exception(context&) { throw std::out_of_range("no such shelf"); }
  int throw_int(context&) { throw 7; }  // NOLINT: any type may be thrown.
  int throw_call_error(context&) {
    throw call_error(error(errc::denied, "not you").with_retry_after(std::chrono::milliseconds(7)));
  }
  result<int> result_error(context&) { return error(errc::denied, "nor you"); }
  result<int> result_value(context&) { return 5; }
  result<void> result_nothing(context&) { return {}; }
  unpackable no_bytes(context&) { return {}; }
  void take_time(context&, int milliseconds) {
    script_->log.emplace_back("took time");
    stage::current().advance(std::chrono::milliseconds(milliseconds));
  }

  task<int> wait(context&, std::string name, std::size_t gate) {
    const unwinding seen{*script_};
    script_->log.push_back(name + " begins");
    co_await async::until(script_->gates[gate]);
    script_->log.push_back(name + " ends");
    co_return 1;
  }
  int wait_on_fiber(context&, std::string name, std::size_t gate) {
    const unwinding seen{*script_};
    script_->log.push_back(name + " begins");
    async::wait(script_->gates[gate]);
    script_->log.push_back(name + " ends");
    return 1;
  }
  task<int> wait_and_throw(context&, std::size_t gate) {
    co_await async::until(script_->gates[gate]);
    throw std::out_of_range("after a while");
  }
  task<int> wait_and_take_time(context&, std::size_t gate) {
    co_await async::until(script_->gates[gate]);
    stage::current().advance(1ms);
    script_->log.emplace_back("took time");
    co_return 1;
  }
  // Continues itself again and again, until something has been noted.
  task<bool> restless(context&) { return restless_for(0ms); }
  task<bool> restless_and_slow(context&) { return restless_for(1ms); }
  task<int> stubborn(context&, std::size_t gate) {
    try {
      co_await async::until(script_->gates[gate]);
    } catch (...) {
      script_->log.emplace_back("would not end");
    }
    co_return 1;
  }

  static endpoint_builder<scripted> described(std::shared_ptr<script> with) {
    return endpoint<scripted>(std::move(with))
        .method("add", &scripted::add)
        .method("note", &scripted::note)
        .method("repeat", &scripted::repeat)
        .method("throw_exception", &scripted::throw_exception)
        .method("throw_int", &scripted::throw_int)
        .method("throw_call_error", &scripted::throw_call_error)
        .method("result_error", &scripted::result_error)
        .method("result_value", &scripted::result_value)
        .method("result_nothing", &scripted::result_nothing)
        .method("no_bytes", &scripted::no_bytes)
        .method("take_time", &scripted::take_time)
        .method("wait", &scripted::wait)
        .method("wait_on_fiber", &scripted::wait_on_fiber, suspending)
        .method("wait_and_throw", &scripted::wait_and_throw)
        .method("wait_and_take_time", &scripted::wait_and_take_time)
        .method("restless", &scripted::restless)
        .method("restless_and_slow", &scripted::restless_and_slow)
        .method("stubborn", &scripted::stubborn);
  }

 private:
  task<bool> restless_for(duration each_round) {
    for (int rounds = 0; rounds < 100'000; ++rounds) {
      if (!script_->log.empty()) {
        co_return true;
      }
      stage::current().advance(each_round);
      async::event next;
      co_await gather(waits(next), completes(next));
    }
    co_return false;
  }
  static task<void> waits(async::event& what) { co_await async::until(what); }
  static task<void> completes(async::event& what) {
    what.complete();
    co_return;
  }

  struct unwinding {
    script& noted;
    ~unwinding() { ++noted.unwound; }
  };

  std::shared_ptr<script> script_;
};

}  // namespace mailroom::tests
