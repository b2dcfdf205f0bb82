#include <mailroom/tools/mailroom/bench/load_options.hpp>
#include <mailroom/tools/mailroom/bench/process.hpp>
#include <mailroom/tools/mailroom/bench/random_bytes.hpp>
#include <mailroom/tools/mailroom/bench/raw_socket.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

namespace mailroom::bench {
namespace {

/// Sends half a window, asks how much has arrived, and waits for the answer to the question before:
/// so at most a window is out, and the way is never empty.
class raw_caster {
 public:
  raw_caster(raw::socket& to, const load& what)
      : to_(to),
        burst_(std::max<std::size_t>(what.in_flight / 2, 1)),
        size_(what.payload),
        window_(what) {}

  void run() {
    begun_ = clock::now();
    ask_stats();
    while (clock::now() < window_.ends) {
      for (std::size_t i = 0; i < burst_; ++i) {
        random_.fill(request_.resize(size_));
        if (!request_.send(to_)) {
          measured_.failed("a message could not be sent");
          return;
        }
      }
      sent_ += burst_;
      sent_at_ = clock::now();
      ask_stats();
      if (!take_stats()) {
        return;
      }
    }
    if (!take_stats()) {
      return;
    }
    if (last_.stats.received < sent_) {
      measured_.errors = sent_ - last_.stats.received;
      measured_.first_error = "messages were lost";
    }
    finish();
  }

  const figures& measured() const noexcept { return measured_; }

 private:
  struct seen {
    time_point when;
    std::uint64_t sent = 0;
    duration client_cpu{0};
    raw::server_stats stats;
  };

  void ask_stats() {
    request_.resize(0);
    request_.send(to_);
  }

  bool take_stats() {
    for (int parts = 2; parts > 0; --parts) {
      while (!reply_.receive(to_)) {
        if (!to_.wait(10'000)) {
          measured_.failed("no answer within 10 seconds");
          return false;
        }
      }
    }
    last_.when = clock::now();
    last_.sent = sent_;
    last_.client_cpu = own_cpu_time();
    std::memcpy(&last_.stats, reply_.data(), std::min(reply_.size(), sizeof last_.stats));
    if (!first_ && last_.when >= window_.begins) {
      first_ = last_;
    }
    return true;
  }

  void finish() {
    if (!first_) {
      measured_.failed("nothing arrived in time");
      return;
    }
    measured_.calls = last_.stats.received - first_->stats.received;
    measured_.received_per_s = static_cast<double>(measured_.calls) /
                               std::chrono::duration<double>(last_.when - first_->when).count();
    const bool sent_since = sent_ > first_->sent && sent_at_ > first_->when;
    const std::uint64_t sent = sent_since ? sent_ - first_->sent : sent_;
    measured_.calls_per_s =
        static_cast<double>(sent) /
        std::chrono::duration<double>(sent_at_ - (sent_since ? first_->when : begun_)).count();
    measured_.client_cpu = last_.client_cpu - first_->client_cpu;
    measured_.server_cpu = std::chrono::nanoseconds(last_.stats.cpu_ns - first_->stats.cpu_ns);
  }

  raw::socket& to_;
  const std::size_t burst_;
  const std::size_t size_;
  window window_;
  random_bytes random_;
  raw::message request_;
  raw::message reply_;
  std::uint64_t sent_ = 0;
  time_point begun_;
  time_point sent_at_;  // The last of them.
  std::optional<seen> first_;
  seen last_;
  figures measured_{.one_way = true};
};

int cast(const load_options& with) {
  const std::string verb = "bench raw-cast";
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
  raw_caster caster(dealer, with.chosen());
  caster.run();
  return report(verb, caster.measured(), with.as_json);
}

}  // namespace

void add_raw_cast(const cli::command& to) {
  const cli::command verb =
      to.add_verb("raw-cast",
                  "The load of `bench cast` over bare libzmq, for `bench raw-sink`",
                  "mailroom bench raw-cast --connect tcp://127.0.0.1:7001 --in-flight 10000");
  auto with = std::make_shared<load_options>();
  cli::add_connect(verb, with->connect);
  with->add_to(verb);
  verb.runs([with] { return cast(*with); });
}

}  // namespace mailroom::bench
