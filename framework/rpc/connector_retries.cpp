// What becomes of a call that has failed, or that nobody wants any more.

#include <mailroom/framework/base/counting.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/outbound_session.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

constexpr duration before_another = std::chrono::milliseconds(10);
constexpr duration before_the_same = std::chrono::milliseconds(100);
constexpr duration longest_pause = std::chrono::seconds(1);

void count_attempt(pending_call& call) noexcept {
  call.attempt = static_cast<std::uint8_t>(std::min(call.attempt + 1, 255));
  --call.retries;
}

enum class chance : std::uint8_t {
  none,
  for_free,  // The server said so, or never saw it: no load, and no sign of too much (gRPC A6:
             // transparent retries).
  for_a_token,
};

chance chance_of(const pending_call& call, const error& why) noexcept {
  if (why.execution() == execution::not_run) {
    switch (why.code()) {
      case errc::stopping:
      case errc::no_server:
      case errc::lost: return chance::for_free;
      case errc::busy:
      case errc::unreachable: return chance::for_a_token;
      default: return chance::none;
    }
  }
  if (why.execution() == execution::may_have_run && call.keyed) {
    switch (why.code()) {
      case errc::lost:
      case errc::cancelled:
      case errc::unreachable:
      case errc::internal: return chance::for_a_token;
      default: return chance::none;
    }
  }
  return chance::none;
}

}  // namespace

// With one server there is nobody else to ask: what it refuses is told at once.
void connector::failed(const outbound_link& at, ref<pending_call> call, error why) {
  const bool is_busy = why == errc::busy && why.execution() == execution::not_run;
  count_one(is_busy ? counters_.refused : counters_.failed);
  switch (why.code()) {
    case errc::busy: note_failure(at, true); break;
    case errc::expired:
    case errc::lost:
    case errc::unreachable:
    case errc::internal: note_failure(at, false); break;
    default: at.session().health().succeeded(); break;
  }
  if (!try_again(call, why, at)) {
    end(*call, why);
  }
}

bool connector::try_again(const ref<pending_call>& call,
                          const error& why,
                          const outbound_link& at) {
  if (call->how != pending_call::kind::call) {
    return false;
  }
  const chance given = chance_of(*call, why);
  retry_budget& budget = call->what.servers->budget;
  if (given == chance::for_a_token) {
    budget.failed();
  }
  if (given == chance::none || closed_ || call->retries == 0 || call->arguments.empty() ||
      (given == chance::for_a_token && !budget.allows())) {
    return false;
  }
  const bool elsewhere = call->server.empty() && others_than_tried(*call, at);
  // What a full queue says is an answer, and not to be made a wait.
  const bool may_wait =
      why.execution() != execution::not_run || (call->wait_for_ready && why != errc::busy);
  if (!elsewhere && !may_wait) {
    return false;
  }
  call->tried[call->attempt % call->tried.size()] = at.session().number();
  count_attempt(*call);
  // The worst that became of it so far is what can be said of it.
  if (!call->failure || call->failure->execution() == execution::not_run) {
    call->failure = why;
  }
  if (given == chance::for_free) {
    return rest(call, duration::zero());
  }
  return rest(call, pause_before(call->attempt, elsewhere ? before_another : before_the_same));
}

// Its server is being connected again, or is gone for good.
bool connector::wait_for_return(const ref<pending_call>& call) {
  if (!call->keyed || call->retries == 0) {
    return false;
  }
  count_attempt(*call);
  return rest(call, pause_before(call->attempt, before_the_same));
}

// Jittered by half, and doubled with each attempt.
duration connector::pause_before(std::uint8_t attempt, duration longest_of_first) {
  const auto doubled = longest_of_first * (1U << std::min<unsigned>(attempt - 1U, 8U));
  const auto most = std::min<duration>(doubled, longest_pause);
  return most / 2 + duration(dice_.roll(static_cast<std::size_t>(most.count() / 2)));
}

bool connector::rest(const ref<pending_call>& call, duration pause) {
  const time_point due = host_.now() + pause;
  if (call->until.passed(due) || !hold(*call)) {
    return false;
  }
  resting_.emplace(due, call);
  if (pause == duration::zero()) {
    look_.store(true, std::memory_order_release);
    loop_.notify(*this);
  } else {
    watch_deadline(deadline(due));
  }
  return true;
}

void connector::send_rested() {
  const time_point now = host_.now();
  std::vector<ref<pending_call>> due;
  while (!resting_.empty() && resting_.begin()->first <= now) {
    due.push_back(std::move(resting_.begin()->second));
    resting_.erase(resting_.begin());
    let_go(*due.back());
  }
  for (auto& each : due) {
    if (each->until.passed(now)) {
      end_expired_unsent(*each, false);
    } else {
      count_one(counters_.retried);
      route(std::move(each));
    }
  }
}

void connector::end(pending_call& call, const error& why) {
  if (call.failure && call.failure->execution() != execution::not_run &&
      why.execution() == execution::not_run) {
    call.complete();  // With what became of an attempt before, which may have run.
  } else {
    call.fail(why);
  }
}

// It waited for a server, or there was no time to look for one.
void connector::end_expired_unsent(pending_call& call, bool waited) {
  count_one(counters_.expired);
  count_one(counters_.expired_unsent);
  call.fail(error(errc::expired,
                  call.failure ? call.failure->execution() : execution::not_run,
                  waited
                      ? std::string(no_server(call).message()) + "; none came within the deadline"
                      : "the deadline of this call to '" + call.what.names.topic +
                            "' passed before it could be sent"));
}

// ---------------------------------------------------------------- given up

void connector::cancel(ref<pending_call> call) noexcept {
  if (loop_.on_loop_thread()) {
    cancel_here(*call);
  } else {
    loop_.post([this, call = std::move(call)] { cancel_here(*call); });
  }
}

void connector::cancel_here(pending_call& call) noexcept {
  if (call.done()) {
    return;
  }
  const ref<pending_call> kept(&call);
  count_one(counters_.cancelled);
  const auto index = static_cast<std::uint32_t>(call.id);
  if (call.id != 0 && index < slots_.size() && slots_[index].call.get() == &call) {
    outbound_link& to = *slots_[index].to;
    to.cancel(call);
    if (to.in_flight() > 0) {
      to.answered();
    }
    free_slot(index);
  } else {
    // Or it has not been looked at yet, and will be found to have ended.
    count_one(counters_.cancelled_unsent);
    const auto let_go_of = [&](const ref<pending_call>& each) {
      if (each.get() != &call) {
        return false;
      }
      let_go(call);
      return true;
    };
    std::erase_if(waiting_, let_go_of);
    std::erase_if(resting_, [&](const auto& each) { return let_go_of(each.second); });
  }
  call.fail(error(errc::cancelled,
                  call.id == 0 ? execution::not_run : execution::may_have_run,
                  "nobody waits for the answer any more"));
}

}  // namespace mailroom::rpc
