// What waits in an activation to be started, and who goes when it is more than there is room for.

#include <mailroom/framework/rpc/call_queue.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

constexpr std::chrono::milliseconds retry_after(50);
constexpr std::chrono::milliseconds retry_after_stuck(250);
// A full queue is searched for expired calls no oftener than this, and for each so many that it
// holds as often again: a few percent of the time, whatever arrives.
constexpr duration sweep_every = std::chrono::milliseconds(10);
constexpr std::uint32_t calls_per_sweep = 65'536;

}  // namespace

// ---------------------------------------------------------------- batches

call_batch::~call_batch() {
  while (left() > 0) {
    const incoming dropped(to_, *this, front());
    pop();
  }
}

void call_batch::run() noexcept {
  to_.accept(*this);
}

void batch_list::remove(call_batch& one) noexcept {
  auto* newer = newer_than(one);
  if (one.older_ != nullptr) {
    one.older_->next = newer;
  } else {
    first_ = newer;
  }
  if (newer != nullptr) {
    newer->older_ = one.older_;
  } else {
    last_ = one.older_;
  }
  delete &one;
}

// ---------------------------------------------------------------- priorities

void call_lanes::add(batch_list& queue, call_batch& more) {
  const auto calls = more.calls();
  const std::uint8_t first = calls.front().priority;
  if (std::all_of(
          calls.begin(), calls.end(), [&](const auto& each) { return each.priority == first; })) {
    put(queue, more, first);
    return;
  }
  std::array<call_batch*, wire::highest_priority + 1> parts{};
  for (; more.left() > 0; more.pop()) {
    const arrived_call& call = more.front();
    call_batch*& part = parts[call.priority];
    if (part == nullptr) {
      part = new call_batch(more.to(), more.from(), more.frame());
    }
    part->add(call, more.chain_of(call), more.key_of(call));
  }
  delete &more;
  for (std::uint8_t priority = 0; priority <= wire::highest_priority; ++priority) {
    if (parts[priority] != nullptr) {
      put(queue, *parts[priority], priority);
    }
  }
}

void call_lanes::put(batch_list& queue, call_batch& more, std::uint8_t priority) noexcept {
  if (queue.empty()) {
    present_ = priority;  // Nothing waits at all, or it would have been refilled.
  } else if (priority > present_) {
    rest_[present_] = std::exchange(queue, {});
    present_ = priority;
  }
  of(queue, priority).append(more);
}

void call_lanes::refill(batch_list& queue) noexcept {
  for (std::uint8_t lane = present_; lane > 0; --lane) {
    if (!rest_[lane - 1U].empty()) {
      present_ = static_cast<std::uint8_t>(lane - 1U);
      queue = std::exchange(rest_[present_], {});
      return;
    }
  }
}

// ---------------------------------------------------------------- the activation's queue

void activation::deliver(call_batch& arrived) noexcept {
  const auto calls = static_cast<std::uint32_t>(arrived.left());
  const std::uint32_t expected = definition_->one_of_several ? calls : 0;
  if (unseen() - expected >= std::max(definition_->queue_limit, most_unseen)) {
    delivered_.fetch_sub(expected, std::memory_order_relaxed);
    refuse(arrived,
           0,
           error(errc::busy, "'" + topic_ + "' is so busy that it does not even look at its calls")
               .with_retry_after(retry_after));
    delete &arrived;
    return;
  }
  // One that belongs to a call that runs here may be what that waits for.
  if (stuck_.load(std::memory_order_relaxed) && !arrived.has_chains()) {
    delivered_.fetch_sub(expected, std::memory_order_relaxed);
    refuse(arrived,
           0,
           error(errc::busy, "'" + topic_ + "' is stuck: it starts none of the calls that wait")
               .with_retry_after(retry_after_stuck));
    delete &arrived;
    return;
  }
  delivered_.fetch_add(calls - expected, std::memory_order_relaxed);
  post(arrived);
}

void activation::keep_by_priority(call_batch& arrived) noexcept {
  auto& lanes = aside().lanes;
  if (!lanes) {
    lanes = std::make_unique<call_lanes>();
  }
  lanes->add(queue_, arrived);
}

template <class See>
void activation::each_waiting_list(const See& see) noexcept {
  if (!aside_ || !aside_->lanes) {
    see(queue_);
    return;
  }
  for (std::uint8_t priority = 0; priority <= wire::highest_priority; ++priority) {
    see(aside_->lanes->of(queue_, priority));
  }
  refill_queue();
}

void activation::refill_queue() noexcept {
  if (queue_.empty() && aside_ && aside_->lanes) {
    aside_->lanes->refill(queue_);
  }
}

void activation::refuse(call_batch& arrived, std::size_t keep, const error& why) noexcept {
  counters_.refused.fetch_add(arrived.left() - keep, std::memory_order_relaxed);
  for (; arrived.left() > keep; arrived.pop_newest()) {
    incoming(*this, arrived, arrived.newest()).fail_uncounted(why);
  }
}

void activation::refuse_queue(const error& why) noexcept {
  each_waiting_list([&](batch_list& list) {
    while (!list.empty()) {
      refuse(list.oldest(), 0, why);
      list.remove(list.oldest());
    }
  });
  queued_.store(0, std::memory_order_relaxed);
}

void activation::make_room_for(call_batch& arrived) noexcept {
  end_expired();
  const std::size_t limit = definition_->queue_limit;
  const std::size_t wanted = queued_.load(std::memory_order_relaxed) + arrived.left();
  if (wanted <= limit) {
    return;
  }
  const std::size_t over = wanted - limit;
  worked(over);
  const std::string queue =
      "the full queue of '" + topic_ + "' (" + std::to_string(limit) + " calls)";
  const auto busy = [](const std::string& text) {
    return error(errc::busy, text).with_retry_after(retry_after);
  };
  switch (definition_->when_full) {
    case queue_policy::refuse_newest:
      refuse(arrived, arrived.left() - over, busy("no room in " + queue));
      break;
    case queue_policy::drop_oldest:
      drop_oldest(arrived, over, busy("dropped from " + queue + " for newer ones"));
      break;
    case queue_policy::by_priority:
      displace(arrived,
               over,
               busy("no room in " + queue),
               busy("dropped from " + queue + " for more urgent ones"));
      break;
  }
}

void activation::drop_oldest(call_batch& arrived, std::size_t over, const error& why) noexcept {
  counters_.dropped.fetch_add(over, std::memory_order_relaxed);
  const auto drop_from = [&](call_batch& batch) {
    for (; over > 0 && batch.left() > 0; batch.pop()) {
      incoming(*this, batch, batch.front()).fail_uncounted(why);
      --over;
    }
  };
  const std::size_t before = over;
  while (over > 0 && !queue_.empty()) {
    call_batch& oldest = queue_.oldest();
    drop_from(oldest);
    if (oldest.left() == 0) {
      queue_.remove(oldest);
    }
  }
  no_longer_queued(before - over);
  drop_from(arrived);
}

// The newest of the least priority go: of each priority those that arrive first, since they are
// newer than what waits.
void activation::displace(call_batch& arrived,
                          std::size_t over,
                          const error& no_room,
                          const error& dropped) noexcept {
  std::array<std::size_t, wire::highest_priority + 1> kept{};
  for (const auto& each : arrived.calls()) {
    ++kept[each.priority];
  }
  std::size_t displaced = 0;
  for (std::uint8_t priority = 0; over > 0; ++priority) {
    const std::size_t refused = std::min(over, kept[priority]);
    kept[priority] -= refused;
    over -= refused;
    if (!aside_ || !aside_->lanes) {
      continue;  // Nothing has waited yet.
    }
    batch_list& waiting = aside_->lanes->of(queue_, priority);
    for (; over > 0 && !waiting.empty(); --over, ++displaced) {
      call_batch& from = waiting.newest();
      incoming(*this, from, from.newest()).fail_uncounted(dropped);
      from.pop_newest();
      if (from.left() == 0) {
        waiting.remove(from);
      }
    }
  }
  refill_queue();
  no_longer_queued(displaced);
  counters_.dropped.fetch_add(displaced, std::memory_order_relaxed);
  arrived.take_if([&](const arrived_call& call) {
    if (kept[call.priority] > 0) {
      --kept[call.priority];
      return false;
    }
    incoming(*this, arrived, call).fail_uncounted(no_room);
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    return true;
  });
}

// Nobody waits for them any more, so that they must not keep others out.
void activation::end_expired() noexcept {
  const time_point now = runner_.now();
  if (now < aside().next_sweep) {
    return;
  }
  aside().next_sweep =
      now + sweep_every * (1 + queued_.load(std::memory_order_relaxed) / calls_per_sweep);
  const std::size_t ended =
      end_waiting([now](const caller&, const arrived_call& call) { return call.until.passed(now); },
                  error(errc::expired, execution::not_run, "expired before it could start"));
  counters_.expired.fetch_add(ended, std::memory_order_relaxed);
}

void activation::drop_given_up(const cancel_note& what) noexcept {
  given_up_calls* const known = what.all() ? nullptr : aside_->given_up.get();
  const std::size_t dropped = end_waiting(
      [&](const caller& by, const arrived_call& call) {
        return call.wants_answer &&
               (known == nullptr ? what.names(&by, call.id) : known->take(by, call.id));
      },
      given_up_error());
  counters_.cancelled.fetch_add(dropped, std::memory_order_relaxed);
  if (known != nullptr) {
    known->searched(running());
  }
}

// Answers those that are wanted with `why`, and tells how many.
template <class Wanted>
std::size_t activation::end_waiting(const Wanted& wanted, const error& why) noexcept {
  std::size_t ended = 0;
  each_waiting_list([&](batch_list& list) {
    for (call_batch* each = list.empty() ? nullptr : &list.oldest(); each != nullptr;) {
      call_batch& batch = *each;
      each = batch_list::newer_than(batch);
      batch.take_if([&](const arrived_call& call) {
        if (!wanted(*batch.from(), call)) {
          return false;
        }
        incoming(*this, batch, call).fail_uncounted(why);
        ++ended;
        return true;
      });
      if (batch.left() == 0) {
        list.remove(batch);
      }
    }
  });
  no_longer_queued(ended);
  return ended;
}

void activation::no_longer_queued(std::size_t calls) noexcept {
  queued_.store(queued_.load(std::memory_order_relaxed) - static_cast<std::uint32_t>(calls),
                std::memory_order_relaxed);
}

}  // namespace mailroom::rpc
