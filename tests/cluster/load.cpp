#include <mailroom/tests/cluster/load.hpp>

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace mailroom::tests {
namespace {

constexpr duration look_every = std::chrono::milliseconds(20);  // Whether it has been stopped.

// No other call of any process has it.
std::uint64_t next_id() {
  static std::atomic<std::uint32_t> last{0};
  return (static_cast<std::uint64_t>(getpid()) << 32U) | ++last;
}

}  // namespace

std::vector<option> load::settings(const std::string& name, const std::string& in_flight) {
  return {
      {.key = name + ".topic", .fallback = "work", .help = "who is called"},
      {.key = name + ".method", .fallback = "quick", .help = "what is called"},
      {.key = name + ".ms",
       .type = option_type::integer,
       .fallback = "0",
       .help = "how long it takes"},
      {.key = name + ".bytes",
       .type = option_type::size,
       .fallback = "0",
       .help = "what is sent along"},
      {.key = name + ".rate",
       .type = option_type::integer,
       .fallback = "0",
       .help = "calls in a second; 0: as fast as answers come",
       .minimum = 0},
      {.key = name + ".in_flight",
       .type = option_type::integer,
       .fallback = in_flight,
       .help = "calls at once, at most; 0: none are made",
       .minimum = 0},
      {.key = name + ".count",
       .type = option_type::integer,
       .fallback = "0",
       .help = "calls in all; 0: until SIGTERM",
       .minimum = 0},
      {.key = name + ".timeout",
       .type = option_type::time,
       .fallback = "5s",
       .help = "of each call"},
      {.key = name + ".wait_for_ready",
       .type = option_type::boolean,
       .fallback = "false",
       .help = "calls wait for a server"},
  };
}

load::load(const std::string& name, const config& settings, journal& into)
    : name_(name),
      topic_(settings.text(name + ".topic")),
      method_(settings.text(name + ".method")),
      milliseconds_(static_cast<int>(settings.integer(name + ".ms"))),
      payload_(settings.size(name + ".bytes"), std::byte{'x'}),
      rate_(settings.integer(name + ".rate")),
      in_flight_(static_cast<std::size_t>(settings.integer(name + ".in_flight"))),
      count_(settings.integer(name + ".count")),
      timeout_(settings.time(name + ".timeout")),
      wait_for_ready_(settings.boolean(name + ".wait_for_ready")),
      journal_(into) {}

std::future<void> load::start(node& from) {
  return from.run("load", [this](context& ctx) { return run(ctx); });
}

task<void> load::run(context& ctx) {
  const client to = ctx.client({.topic = topic_})
                        .prepare({.timeout = timeout_, .wait_for_ready = wait_for_ready_});
  if (in_flight_ == 0) {
    co_return;
  }
  std::vector<task<void>> flows;
  flows.reserve(in_flight_ + 1);
  for (std::size_t i = 0; i < in_flight_; ++i) {
    flows.push_back(call_when_due(to));
  }
  flows.push_back(pace(ctx));
  co_await gather(std::move(flows));
}

task<void> load::pace(context& ctx) {
  const time_point first = clock::now();
  for (std::int64_t n = 0; !stopped_ && (count_ == 0 || n < count_); ++n) {
    if (rate_ > 0) {
      const time_point due = first + n * duration(std::chrono::seconds(1)) / rate_;
      for (auto now = clock::now(); now < due && !stopped_; now = clock::now()) {
        co_await ctx.sleep(std::min<duration>(due - now, look_every));
      }
    }
    co_await due_.send(next_id());
  }
  due_.close();
}

task<void> load::call_when_due(const client& to) {
  const bytes body{std::span(payload_)};
  while (const auto id = co_await due_.receive()) {
    const std::string call = std::to_string(*id);
    const time_point sent = clock::now();
    journal_.write("sent " + call + ' ' + in_journal(sent) + ' ' + in_journal(sent + timeout_) +
                   ' ' + name_);
    const auto answer = co_await to.async_call<std::uint64_t>(method_, *id, milliseconds_, body);
    const time_point ended = clock::now();
    std::string outcome = "ok -";
    if (!answer) {
      outcome = std::string(to_string(answer.error().code())) + ' ' +
                std::string(to_string(answer.error().execution()));
    } else if (*answer != *id) {
      outcome = "another's_answer -";
    }
    journal_.write("ended " + call + ' ' + in_journal(ended) + ' ' + outcome);
  }
}

}  // namespace mailroom::tests
