#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/health.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace mailroom::rpc {
namespace {

// Looking takes some 50 ns for each endpoint: of so many together a percent of the time.
constexpr std::size_t endpoints_per_look = 50'000;

std::uint32_t milliseconds(duration length) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(length).count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(count, 0, std::numeric_limits<std::uint32_t>::max()));
}

// Of counts modulo 2^32.
bool reached(std::uint32_t count, std::uint32_t mark) noexcept {
  return static_cast<std::int32_t>(count - mark) >= 0;
}

}  // namespace

health::health(executors::event_loop& control,
               platform& host,
               const dispatcher& endpoints,
               std::vector<const executors::event_loop*> loops,
               options with,
               arrivals arrived,
               changed tell,
               looked each_time)
    : host_(host),
      endpoints_(endpoints),
      loops_(std::move(loops)),
      with_(with),
      arrived_(std::move(arrived)),
      tell_(std::move(tell)),
      each_time_(std::move(each_time)),
      alarm_(control, [this] { look(); }),
      turnings_(loops_.size()),
      oldest_(loops_.size()),
      states_(loops_.size()) {}

void health::start() {
  now_ = host_.now();
  looked_at_ = now_;
  alarm_.set(now_);
}

void health::look() {
  const time_point before = std::exchange(now_, host_.now());
  each_time_(now_);
  // When this thread did not run, the others may not have run either, which is no fault of theirs.
  const duration longest = 2 * with_.look_every;
  const wire::stuck was = stuck_;
  look_at_loops(std::min<duration>(now_ - before, longest));
  if (must_look_at_endpoints()) {
    look_at_endpoints(std::min<duration>(now_ - looked_at_, longest + (before - looked_at_)));
    looked_at_ = now_;
  }
  for (std::size_t i = 0; i < states_.size(); ++i) {
    states_[i] = {turnings_[i].passes, milliseconds(std::max(turnings_[i].unmoved, oldest_[i]))};
  }
  if (stuck_ != was) {
    tell_(stuck_);
  }
  alarm_.set(now_ + with_.look_every);
}

// A loop that sleeps may stay in one pass for ever.
void health::look_at_loops(duration since) {
  stuck_.loops.clear();
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    const auto seen = loops_[i]->stats();
    turning& known = turnings_[i];
    known.unmoved =
        seen.asleep || seen.passes != known.passes ? duration::zero() : known.unmoved + since;
    known.passes = seen.passes;
    if (with_.stuck_after > duration::zero() && known.unmoved >= with_.stuck_after) {
      stuck_.loops.push_back(static_cast<std::uint32_t>(i));
    }
  }
}

bool health::must_look_at_endpoints() {
  // What has been counted as arrived may be on its way to its endpoint still: two looks must find
  // the same.
  const std::uint64_t arrived = arrived_();
  const bool same = std::exchange(seen_arrivals_, arrived) == arrived;
  const bool idle = same && settled_ && waiting_.empty();
  settled_ = same;
  return !idle && ++looks_ % (1 + endpoints_seen_ / endpoints_per_look) == 0;
}

void health::look_at_endpoints(duration since) {
  stuck_.topics.clear();
  std::fill(oldest_.begin(), oldest_.end(), duration::zero());
  endpoints_seen_ = 0;
  wire::stuck_topic topic;
  bool all_stuck = false;
  const auto finish = [&] {
    if (all_stuck) {
      stuck_.topics.push_back(topic);
    }
  };
  endpoints_.each(
      [&](const target& at, std::span<activation* const> instances, std::uint32_t loop) {
        if (topic.topic != at.topic || topic.exchange != at.exchange) {
          finish();
          topic = {at.exchange, at.topic};
          all_stuck = true;
        }
        for (activation* each : instances) {
          ++endpoints_seen_;
          all_stuck = look_at(*each, since, loop) && all_stuck;
        }
      });
  finish();
  forget_those_that_do_not_wait();
}

// Whether it is stuck.
bool health::look_at(activation& at, duration since, std::uint32_t loop) {
  if (at.queued() == 0) {
    return false;
  }
  const std::uint32_t left = at.left();
  const std::uint64_t started = at.counts().started.load(std::memory_order_relaxed);
  const auto [found, is_new] = waiting_.try_emplace(&at);
  waiting& one = found->second;
  // What waits for a move is served after it, or where it was: that is bounded.
  one.unmoved = is_new || one.started != started || at.waits_to_move() ? duration::zero()
                                                                       : one.unmoved + since;
  one.started = started;
  one.look = looks_;
  if (is_new) {
    one.mark = left + static_cast<std::uint32_t>(at.queued());
    one.since = now_;
    one.next_mark = one.mark;
    one.next_since = now_;
  } else if (reached(left, one.mark)) {
    one.mark = one.next_mark;
    one.since = one.next_since;
    one.next_mark = left + static_cast<std::uint32_t>(at.queued());
    one.next_since = now_;
  }
  if (loop < oldest_.size()) {
    oldest_[loop] = std::max<duration>(oldest_[loop], now_ - one.since);
  }
  const bool stuck =
      with_.stuck_after > duration::zero() && one.unmoved >= with_.stuck_after && at.is_open();
  if (stuck != one.stuck) {
    one.stuck = stuck;
    at.set_stuck(stuck);
    if (stuck) {
      log::warn_limited("endpoint_stuck",
                        "endpoint_stuck",
                        {{"topic", at.topic()},
                         {"executor", at.executor_name()},
                         {"queued", at.queued()},
                         {"running", at.running()},
                         {"for", one.unmoved}});
    }
  }
  return stuck;
}

void health::forget_those_that_do_not_wait() {
  std::erase_if(waiting_, [&](auto& each) {
    if (each.second.look == looks_) {
      return false;
    }
    if (each.second.stuck) {
      each.first->set_stuck(false);
    }
    return true;
  });
}

}  // namespace mailroom::rpc
