#pragma once

#include <mailroom/tools/mailroom/bench/figures.hpp>
#include <mailroom/tools/mailroom/bench/random_bytes.hpp>

#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/context.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace mailroom::bench {

/// Casts half a window, asks the server how much it has received, and waits for the answer to the
/// question before: so at most a window is out, nothing has to be refused, and the way is never
/// empty. At a rate it casts what is due and waits for the answer to the question after it. One
/// flow, for `node::run`.
class caster {
 public:
  caster(const client& to, std::string method, const load& what);

  task<void> run(context& ctx);

  const window& counted() const noexcept { return window_; }
  figures& measured() noexcept { return measured_; }

 private:
  struct seen {
    time_point when;
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
  };

  task<bool> flat_out();
  task<bool> keep_to_rate(context& ctx);
  call_operation<std::uint64_t> ask() const;
  void send(std::int64_t count);
  /// What the server says after a burst that began then, or was due.
  bool take(const result<std::uint64_t>& answer, time_point since);
  void finish();

  const client to_;
  const std::string method_;
  const std::int64_t burst_;
  const std::size_t payload_;
  const duration period_;
  const window window_;
  random_bytes random_;
  std::uint64_t sent_ = 0;
  time_point begun_;
  time_point sent_at_;        // The last of them.
  std::uint64_t before_ = 0;  // Received from others, before this run.
  std::optional<seen> first_;
  seen last_;
  figures measured_{.one_way = true};
};

}  // namespace mailroom::bench
