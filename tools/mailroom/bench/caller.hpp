#pragma once

#include <mailroom/tools/mailroom/bench/figures.hpp>
#include <mailroom/tools/mailroom/bench/random_bytes.hpp>

#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/context.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace mailroom::bench {

/// Keeps a window of calls out, each in a coroutine flow of one task, compares every answer and
/// measures. `run` is for `node::run`; what was measured is read when it has ended.
class caller {
 public:
  caller(const client& to, std::string method, const load& what);

  task<void> run(context& ctx);

  const window& counted() const noexcept { return window_; }
  figures& measured() noexcept { return measured_; }

 private:
  task<void> flow(context& ctx);
  void judge(const result<bytes>& answer,
             std::span<const std::byte> sent,
             time_point made,
             time_point now);

  const client to_;
  const std::string method_;
  const load what_;
  const window window_;
  const duration period_;
  random_bytes random_;
  std::uint64_t begun_ = 0;  // Of calls that are due at a time.
  time_point first_due_;
  figures measured_;
};

}  // namespace mailroom::bench
