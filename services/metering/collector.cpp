#include <mailroom/services/metering/collector.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <poll.h>
#include <unistd.h>

#include <iostream>
#include <utility>

namespace mailroom::metering {
namespace {

// The head comes again when it has left the screen.
constexpr std::uint64_t rows_per_head = 30;

}  // namespace

collector::collector(std::shared_ptr<store> into, bool quiet)
    : store_(std::move(into)), quiet_(quiet) {}

std::int64_t collector::record(context& ctx, std::vector<sample> samples) {
  const auto stored = store_->add(samples);
  if (!stored) {
    log::warn_limited("metering",
                      "samples_refused",
                      {{"from", ctx.caller()},
                       {"samples", samples.size()},
                       {"reason", stored.error().to_string()}});
  }
  const auto count = stored.value();
  if (!quiet_ && count > 0) {
    show(samples);
  }
  return count;
}

std::vector<statistic> collector::statistics(context& /*ctx*/, filter which) {
  return store_->statistics(which).value();
}

std::vector<sample> collector::samples(context& /*ctx*/, std::string meter, std::int64_t limit) {
  return store_->samples(meter, limit).value();
}

// A reader that does not read (a pager, a paused terminal) costs it rows, and the service nothing.
void collector::show(const std::vector<sample>& batch) {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) {
    ++unseen_;
    return;
  }
  if (shown_++ % rows_per_head == 0) {
    std::cout << live_table::head() << '\n';
  }
  if (const auto unseen = std::exchange(unseen_, 0); unseen != 0) {
    std::cout << "(" << unseen << " rows that nobody read)\n";
  }
  if (!(std::cout << table_.row(batch) << std::endl)) {
    quiet_ = true;
    log::warn("samples_not_shown", {{"reason", "standard output cannot be written"}});
  }
}

}  // namespace mailroom::metering
