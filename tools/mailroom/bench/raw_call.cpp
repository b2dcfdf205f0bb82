#include <mailroom/tools/mailroom/bench/load_options.hpp>
#include <mailroom/tools/mailroom/bench/process.hpp>
#include <mailroom/tools/mailroom/bench/random_bytes.hpp>
#include <mailroom/tools/mailroom/bench/raw_socket.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <cstring>
#include <memory>
#include <vector>

namespace mailroom::bench {
namespace {

/// One connection answers in the order it was asked, so that a ring is all the correlation there
/// is.
class raw_caller {
 public:
  raw_caller(raw::socket& to, const load& what)
      : to_(to),
        in_flight_(what.in_flight),
        size_(what.payload),
        sent_(what.in_flight * what.payload),
        made_(what.in_flight),
        window_(what) {}

  void run() {
    for (std::size_t i = 0; i < in_flight_; ++i) {
      ask(i, clock::now());
    }
    std::size_t out = in_flight_;
    std::size_t next = 0;
    while (out > 0 || stats_out_ > 0) {
      while (reply_.receive(to_)) {
        if (reply_.size() == 0 && reply_.more()) {
          take_stats();
          continue;
        }
        const time_point now = clock::now();
        take_reply(next, now);
        if (now < window_.ends) {
          ask(next, now);
        } else {
          --out;
        }
        next = next + 1 == in_flight_ ? 0 : next + 1;
        if (now >= ask_stats_at_) {
          ask_stats(now);
        }
      }
      if ((out > 0 || stats_out_ > 0) && !to_.wait(10'000)) {
        measured_.failed("no answer within 10 seconds");
        return;
      }
    }
    measured_.calls = measured_.latency.total();
    measured_.calls_per_s = static_cast<double>(measured_.calls) /
                            std::chrono::duration<double>(window_.ends - window_.begins).count();
    if (cpu_.size() == 2) {
      measured_.client_cpu = cpu_[1].client - cpu_[0].client;
      measured_.server_cpu = cpu_[1].server - cpu_[0].server;
    }
  }

  const figures& measured() const noexcept { return measured_; }

 private:
  struct cpu_times {
    duration client;
    duration server;
  };

  std::span<std::byte> payload(std::size_t slot) noexcept {
    return {sent_.data() + slot * size_, size_};
  }

  void ask(std::size_t slot, time_point now) {
    made_[slot] = now;
    random_.fill(payload(slot));
    std::memcpy(request_.resize(size_).data(), payload(slot).data(), size_);
    if (!request_.send(to_)) {
      measured_.failed("a message could not be sent");
    }
  }

  void take_reply(std::size_t slot, time_point now) {
    if (reply_.size() != size_ || std::memcmp(reply_.data(), payload(slot).data(), size_) != 0) {
      measured_.failed("a reply differs from its request");
    } else if (window_.holds(now)) {
      measured_.latency.record(now - made_[slot]);
    }
  }

  void ask_stats(time_point now) {
    ask_stats_at_ = now < window_.ends ? window_.ends : time_point::max();
    cpu_.push_back({own_cpu_time(), {}});
    request_.resize(0);
    request_.send(to_);
    ++stats_out_;
  }

  void take_stats() {
    raw::server_stats stats;
    if (reply_.receive(to_) && reply_.size() == sizeof stats) {
      std::memcpy(&stats, reply_.data(), sizeof stats);
      cpu_[cpu_.size() - stats_out_].server = std::chrono::nanoseconds(stats.cpu_ns);
    }
    --stats_out_;
  }

  raw::socket& to_;
  const std::size_t in_flight_;
  const std::size_t size_;
  std::vector<std::byte> sent_;
  std::vector<time_point> made_;
  random_bytes random_;
  raw::message request_;
  raw::message reply_;
  window window_;
  time_point ask_stats_at_ = window_.begins;
  std::size_t stats_out_ = 0;
  std::vector<cpu_times> cpu_;
  figures measured_;
};

int call(const load_options& with) {
  const std::string verb = "bench raw-call";
  if (with.what.payload == 0) {
    return cli::misused(verb, "--payload: at least one byte");
  }
  if (with.cpu) {
    if (auto kept = keep_to_cpu(*with.cpu); !kept) {
      return cli::failed(verb, kept.error());
    }
  }
  const raw::context context;
  raw::socket dealer(context, ZMQ_DEALER);
  if (zmq_connect(dealer.raw(), with.connect.c_str()) != 0) {
    return cli::not_started(verb, raw::zmq_error("cannot connect to " + with.connect));
  }
  raw_caller caller(dealer, with.chosen());
  caller.run();
  return report(verb, caller.measured(), with.as_json);
}

}  // namespace

void add_raw_call(const cli::command& to) {
  const cli::command verb =
      to.add_verb("raw-call",
                  "The load of `bench call` over bare libzmq, for `bench raw-serve`",
                  "mailroom bench raw-call --connect tcp://127.0.0.1:7001 --in-flight 1000");
  auto with = std::make_shared<load_options>();
  cli::add_connect(verb, with->connect);
  with->add_to(verb);
  verb.runs([with] { return call(*with); });
}

}  // namespace mailroom::bench
