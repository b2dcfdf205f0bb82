#pragma once

#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/caller.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>
#include <mailroom/framework/rpc/incoming.hpp>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::tests {

/// A link that keeps what is sent.
class recording_link final : public rpc::link {
 public:
  bool send(wire::buffer& frame) override {
    const std::lock_guard lock(mutex_);
    frames_.emplace_back(std::move(frame));
    return true;
  }
  std::size_t unsent_bytes() const noexcept override { return 0; }
  std::string_view peer_address() const noexcept override { return "recorded"; }
  void close(bool) override {}

  std::vector<wire::frame> taken() {
    const std::lock_guard lock(mutex_);
    return std::exchange(frames_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<wire::frame> frames_;  // Guarded by mutex_.
};

/// What became of one call.
struct answer {
  int count = 0;  ///< How many answers came; it must be one.
  std::optional<error> failure;
  std::vector<std::byte> body;

  template <class T>
  T as() const {
    return wire::unpack<T>(body).value();
  }
};

inline bool failed_with(const answer& got, errc code) {
  return got.failure && got.failure->code() == code;
}

inline enum execution execution_of(const answer& got) {
  return got.failure.value().execution();
}

/// One activation whose turns the test gives by hand, with a clock that it moves, called by a
/// caller whose answers are kept.
class stage {
 public:
  template <class Object>
  explicit stage(endpoint_builder<Object>&& what, rpc::caller::limits bounds = {})
      : stage(std::move(what).build("stage"), bounds) {}
  stage(std::shared_ptr<const rpc::endpoint_definition> what, rpc::caller::limits bounds);
  ~stage();

  /// Adds a call to the frame in the making and returns its id.
  template <class... Args>
  std::uint64_t call(std::string_view method, const Args&... arguments) {
    return add(method, deadline::none(), true, [&](wire::buffer& into) {
      wire::pack_arguments(into, arguments...);
    });
  }
  template <class... Args>
  std::uint64_t call_until(deadline until, std::string_view method, const Args&... arguments) {
    return add(
        method, until, true, [&](wire::buffer& into) { wire::pack_arguments(into, arguments...); });
  }
  std::uint64_t call_raw(std::string_view method, std::span<const std::byte> arguments) {
    return add(method, deadline::none(), true, [&](wire::buffer& into) { into.append(arguments); });
  }
  template <class... Args>
  void cast(std::string_view method, const Args&... arguments) {
    add(method, deadline::none(), false, [&](wire::buffer& into) {
      wire::pack_arguments(into, arguments...);
    });
  }
  /// Of the calls and casts that are added from now on.
  void set_priority(std::uint8_t priority) noexcept { priority_ = priority; }
  /// The caller's session began in this epoch.
  void watch(const rpc::vigil& by, rpc::vigil::epoch began) { caller_->watch(by, began); }
  /// Posts the frame.
  void arrive();
  /// The caller goes; its answers vanish from now on.
  void hang_up();

  bool turn() { return activation->turn(); }
  /// Posts what was added and gives turns until nothing wants one.
  void run();
  void pass(duration time);
  /// Those that are due, without a turn.
  void fire_timers() { runner_.timers.fire(runner_.time); }

  /// The answer so far; `count` 0 if there is none.
  answer of(std::uint64_t id);
  std::size_t answers();

  time_point now() const noexcept { return runner_.time; }
  void advance(duration time) noexcept { runner_.time += time; }
  bool told_quiet() const noexcept { return runner_.told_quiet; }
  int rings() const noexcept { return runner_.rung; }
  /// How often the runner was told to go elsewhere.
  int moves() const noexcept { return runner_.moves; }
  /// Armed.
  std::size_t timers() const { return runner_.timers.size(); }

  /// For handlers, which have no other way to it: the stage that was made last.
  static stage& current() noexcept { return *current_; }

 private:
  struct hand_runner final : rpc::runner {
    void move(rpc::relocation&) noexcept override { ++moves; }
    const std::string& executor_name() const noexcept override { return name; }
    void ring() noexcept override {
      wants_turn = true;
      ++rung;
    }
    void arm(executors::timer& t, time_point due) noexcept override { timers.arm(t, due); }
    void cancel(executors::timer& t) noexcept override { executors::timer_queue::cancel(t); }
    time_point now() const noexcept override { return time; }
    void quiet() noexcept override { told_quiet = true; }

    const std::string name = "stage";
    bool wants_turn = false;
    int moves = 0;
    int rung = 0;
    bool told_quiet = false;
    time_point time{};
    executors::timer_queue timers;
  };
  struct coming {
    std::uint64_t id;
    deadline until;
    const rpc::method* what;
    std::size_t from;
    std::size_t size;
    bool wants_answer;
    std::uint8_t priority;
  };

  template <class Pack>
  std::uint64_t add(std::string_view method, deadline until, bool wants_answer, const Pack& pack) {
    const std::size_t from = bytes_.size();
    pack(bytes_);
    coming_.push_back({++last_id_,
                       until,
                       activation->definition().find(method),
                       from,
                       bytes_.size() - from,
                       wants_answer,
                       priority_});
    return last_id_;
  }
  void collect();

  static inline stage* current_ = nullptr;

  executors::event_loop loop_;
  rpc::connector connector_;
  recording_link link_;
  ref<rpc::caller> caller_;
  hand_runner runner_;
  wire::buffer bytes_;
  std::vector<coming> coming_;
  std::uint64_t last_id_ = 0;
  std::uint8_t priority_ = 0;
  std::map<std::uint64_t, answer> answers_;

 public:
  std::optional<rpc::activation> activation;
};

}  // namespace mailroom::tests
