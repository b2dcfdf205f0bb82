#pragma once

#include <mailroom/services/host/mailroom.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mailroom::tests {

/// The name of the calling thread, as the system shows it.
std::string thread_name();

/// What handlers count, to be read when no handler can answer any more. @threadsafe
class board {
 public:
  void count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++counted_[what];
  }
  /// Also by the thread that says so: "WHAT on THREAD".
  void ran(const std::string& what) {
    const std::string there = what + " on " + thread_name();
    const std::lock_guard lock(mutex_);
    ++counted_[what];
    ++counted_[there];
  }
  long counted(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return counted_[what];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, long> counted_;  // Guarded by mutex_.
};

/// An answer with the thread that gave it.
struct said {
  std::string text;
  std::string thread;
  MSGPACK_DEFINE_MAP(text, thread)
};

/// Coroutines and fibers of one actor that wait for each other.
class waiting_room {
 public:
  std::shared_ptr<async::event> enter() {
    return waiting_.emplace_back(std::make_shared<async::event>());
  }
  std::size_t size() const noexcept { return waiting_.size(); }
  void open() {
    for (const auto& each : std::exchange(waiting_, {})) {
      each->complete();
    }
  }

 private:
  std::vector<std::shared_ptr<async::event>> waiting_;
};

/// The endpoint under test: topic "probe", version 1.4.
class probe {
 public:
  explicit probe(std::shared_ptr<board> counts) : counts_(std::move(counts)) {}

  said plain(context&, std::string text);
  task<said> coroutine(context& ctx, std::string text);
  said suspending(context& ctx, std::string text);

  /// The threads before and after a pause.
  task<std::vector<std::string>> pause_in_coroutine(context& ctx);
  std::vector<std::string> pause_on_fiber(context& ctx);

  /// Calls of calls, coroutine and fiber in turn; the threads from the outermost in.
  task<std::vector<std::string>> descend(context& ctx, int levels);
  std::vector<std::string> descend_on_fiber(context& ctx, int levels);

  /// Answer when `total` of them wait.
  task<said> assemble(context& ctx, std::size_t total);
  said assemble_on_fiber(context& ctx, std::size_t total);

  /// Wait until `open_gate`.
  task<said> wait_at_gate(context& ctx);
  said wait_at_gate_on_fiber(context& ctx);
  int open_gate(context&);

  said throws(context&, std::string what);
  task<said> throws_in_coroutine(context& ctx, std::string what);
  said throws_on_fiber(context& ctx, std::string what);

  task<said> never(context& ctx);
  task<said> nap(context& ctx, int milliseconds);

  int add(context&, int a, int b);
  bytes same(context&, bytes body);
  std::string make(context&, std::size_t size);

  /// What a synchronous call answers to a handler that may not wait.
  said calls_in_plain(context& ctx);
  task<said> calls_in_coroutine(context& ctx);

  void note(context&, int number);
  std::vector<int> noted(context&) { return notes_; }

  std::size_t threads(context&);

 private:
  std::shared_ptr<board> counts_;
  waiting_room assembly_;
  waiting_room gate_;
  std::vector<int> notes_;
};

/// One call at a time: topics "alone", "crowded" (room for ten in its queue), "left" and "right".
class hermit {
 public:
  explicit hermit(std::shared_ptr<board> counts) : counts_(std::move(counts)) {}

  /// Sleeps, and tells how many did so at once at most.
  task<int> nap(context& ctx, int milliseconds);
  std::string thread(context&) { return thread_name(); }
  /// Asks the first of `path` to ask the others; the last answers. Tells what came of it.
  task<said> ask(context& ctx, std::vector<std::string> path);
  /// Uses a processor for so much of its time.
  said burn(context&, int milliseconds);

 private:
  std::shared_ptr<board> counts_;
  int now_ = 0;
  int most_ = 0;
};

void serve_probes(node& at, const std::shared_ptr<board>& counts);

/// Serves `count` endpoints that nobody calls.
void serve_idle(node& at, std::size_t count);

}  // namespace mailroom::tests
