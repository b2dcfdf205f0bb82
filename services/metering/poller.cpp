#include <mailroom/services/metering/collector.hpp>
#include <mailroom/services/metering/poller.hpp>
#include <mailroom/services/metering/snapshots.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <chrono>
#include <utility>

namespace mailroom::metering {
namespace {

constexpr std::size_t samples_per_call = 4096;
constexpr duration answer_within = std::chrono::seconds(2);
constexpr duration try_again_after = std::chrono::milliseconds(200);

std::int64_t wall_clock_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

/// Whether the same samples will fail again however often they are sent.
bool is_refusal(errc code) {
  return code == errc::invalid_arguments || code == errc::too_large ||
         code == errc::no_such_method || code == errc::no_such_namespace ||
         code == errc::unsupported_version || code == errc::denied || code == errc::bad_reply;
}

/// Points in time one interval apart, from now on until the end.
class schedule {
 public:
  explicit schedule(const poller::options& by)
      : interval_(by.interval),
        next_(platform::system().now()),
        ends_(by.ends_after == duration::zero() ? deadline::none()
                                                : deadline::after(next_, by.ends_after)) {}

  /// Moves to the next point that is not past: a host that was asleep is not read twice at once.
  bool advance() {
    const auto now = platform::system().now();
    do {
      next_ += interval_;
    } while (next_ <= now);
    return next_ <= ends_.at();
  }
  duration left() const { return next_ - platform::system().now(); }

 private:
  duration interval_;
  time_point next_;
  deadline ends_;
};

}  // namespace

task<void> poller::run(context& ctx) {
  if (!options_.record.empty()) {
    co_await record();
    co_return;
  }
  const auto to =
      ctx.client({.topic = topic, .version = version}).prepare({.timeout = answer_within});
  // A folder that is a /proc itself is read as one, whatever numbers lie in it: processes do.
  if (!read_proc(options_.proc_root, 0)) {
    auto moments = recorded_moments(options_.proc_root);
    if (moments.empty()) {
      throw call_error(error(
          errc::io, options_.proc_root.string() + " is neither a /proc nor a folder of snapshots"));
    }
    co_await replay(to, std::move(moments));
    co_return;
  }
  co_await gather(poll(), deliver(to));
}

void poller::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  tick_.raise();
  more_.raise();
}

task<void> poller::record() {
  schedule when(options_);
  do {
    const auto snapshot = read_proc(options_.proc_root, wall_clock_ns());
    record_snapshot(options_.record, snapshot.value()).value();
    if (!when.advance()) {
      break;
    }
    co_await tick_.wait(when.left());
  } while (!ends());
}

task<void> poller::replay(client to, std::vector<std::int64_t> moments) {
  for (const auto moment : moments) {
    auto snapshot = read_proc(snapshot_path(options_.proc_root, moment), moment);
    if (!snapshot) {
      log::warn("snapshot_unreadable", {{"reason", snapshot.error().message()}});
      continue;
    }
    take(*snapshot);
    while (!kept_.empty()) {
      if (ends()) {
        co_return;
      }
      const auto sent = co_await send_oldest(to);
      if (!sent && is_refusal(sent.error().code())) {
        throw call_error(sent.error());
      }
      if (!sent) {
        co_await tick_.wait(try_again_after);
      }
    }
  }
}

task<void> poller::poll() {
  schedule when(options_);
  do {
    if (auto snapshot = read_proc(options_.proc_root, wall_clock_ns())) {
      take(*snapshot);
      more_.raise();
    } else {
      log::warn_limited("metering", "proc_unreadable", {{"reason", snapshot.error().message()}});
    }
    if (!when.advance()) {
      break;
    }
    co_await tick_.wait(when.left());
  } while (!ends());
  read_all_ = true;
  more_.raise();
}

task<void> poller::deliver(client to) {
  while (true) {
    if (kept_.empty()) {
      if (read_all_) {
        co_return;
      }
      co_await more_.wait(std::chrono::hours(1));
      continue;
    }
    const auto sent = co_await send_oldest(to);
    if (sent) {
      continue;
    }
    if (is_refusal(sent.error().code())) {
      // Kept, it would be in the way of all that follow.
      const auto refused = std::min(kept_.size(), samples_per_call);
      log::error("samples_given_up", {{"samples", refused}, {"reason", sent.error().to_string()}});
      kept_.confirm(refused);
    } else if (read_all_ || ends()) {
      log::warn("samples_not_delivered",
                {{"samples", kept_.size()}, {"reason", sent.error().to_string()}});
      co_return;
    } else {
      co_await more_.wait(try_again_after);  // Or until there are more to be sent with them.
    }
  }
}

task<result<void>> poller::send_oldest(client to) {
  // Samples may be dropped while these are under way: what is confirmed is what was sent.
  const auto batch = kept_.oldest(samples_per_call);
  const auto dropped = kept_.dropped();
  const auto stored = co_await to.async_call<std::int64_t>("record", batch);
  if (!stored) {
    collector_is(false, stored.error().to_string());
    co_return stored.error();
  }
  const auto gone = kept_.dropped() - dropped;
  kept_.confirm(batch.size() - std::min<std::size_t>(batch.size(), gone));
  collector_is(true, {});
  co_return result<void>();
}

void poller::take(const proc_snapshot& snapshot) {
  auto samples = parse_proc(snapshot);
  if (auto busy = cpu_.next(samples)) {
    samples.push_back(*std::move(busy));
  }
  kept_.add(std::move(samples));
}

void poller::collector_is(bool here, const std::string& why) {
  if (here != away_) {
    return;
  }
  away_ = !here;
  if (away_) {
    log::warn("collector_away", {{"reason", why}, {"keeping_at_most", options_.keep}});
  } else {
    log::info("collector_back", {{"kept", kept_.size()}, {"dropped_so_far", kept_.dropped()}});
  }
}

}  // namespace mailroom::metering
