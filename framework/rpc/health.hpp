#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/rpc/dispatcher.hpp>
#include <mailroom/framework/rpc/loop_alarm.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mailroom::rpc {

class activation;

/// How the I/O loops and the endpoints of a node do: which turn, how long calls wait, and what does
/// not move at all. It looks at them from the control thread, and costs them nothing: they only
/// count, as they do anyway. Control thread only.
class health final {
 public:
  struct options {
    /// An endpoint of whose waiting calls none is started for so long is stuck: it refuses new
    /// ones, and peers are told. The same for a loop that does not end a pass. Zero: never.
    duration stuck_after = std::chrono::seconds(1);
    duration look_every = std::chrono::milliseconds(250);
  };
  /// What is stuck has changed.
  using changed = std::function<void(const wire::stuck&)>;
  /// Calls and casts that have arrived so far. While there are no more, and none waits, it need not
  /// look.
  using arrivals = std::function<std::uint64_t()>;
  /// At each look.
  using looked = std::function<void(time_point now)>;

  health(executors::event_loop& control,
         platform& host,
         const dispatcher& endpoints,
         std::vector<const executors::event_loop*> loops,
         options with,
         arrivals arrived,
         changed tell,
         looked each_time);

  /// Looks now, and from now on again and again.
  void start();
  /// Looks no more: endpoints may go.
  void close() noexcept { alarm_.off(); }

  /// As of the last look.
  const std::vector<wire::loop_state>& loops() const noexcept { return states_; }
  const wire::stuck& stuck() const noexcept { return stuck_; }

 private:
  // What is known of an endpoint whose calls wait. Calls are counted modulo 2^32.
  struct waiting {
    std::uint64_t started = 0;  // So many have been,
    duration unmoved{0};        // and so long that has been the same.
    // The oldest that waits was there at `since`, unless so many have left the queue; then perhaps
    // at the next one.
    std::uint32_t mark = 0;
    time_point since;
    std::uint32_t next_mark = 0;
    time_point next_since;
    std::uint64_t look = 0;  // When it was seen last.
    bool stuck = false;
  };
  struct turning {
    std::uint64_t passes = 0;
    duration unmoved{0};  // In one pass.
  };

  void look();
  void look_at_loops(duration since);
  bool must_look_at_endpoints();
  void look_at_endpoints(duration since);
  bool look_at(activation& at, duration since, std::uint32_t loop);
  void forget_those_that_do_not_wait();

  platform& host_;
  const dispatcher& endpoints_;
  const std::vector<const executors::event_loop*> loops_;
  const options with_;
  const arrivals arrived_;
  const changed tell_;
  const looked each_time_;
  loop_alarm alarm_;
  time_point now_;        // Of this look,
  time_point looked_at_;  // and of the last one at endpoints.
  std::uint64_t looks_ = 0;
  std::uint64_t seen_arrivals_ = 0;
  bool settled_ = false;  // Nothing has arrived between the last two looks.
  std::size_t endpoints_seen_ = 0;
  std::vector<turning> turnings_;
  std::vector<duration> oldest_;  // That waits, of the endpoints at home on each loop.
  std::vector<wire::loop_state> states_;
  std::unordered_map<activation*, waiting> waiting_;
  wire::stuck stuck_;
};

}  // namespace mailroom::rpc
