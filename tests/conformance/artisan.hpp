#pragma once

#include <mailroom/tests/conformance/probe.hpp>
#include <mailroom/tests/framework/executors/pipes.hpp>

#include <memory>
#include <string>
#include <vector>

namespace mailroom::tests {

/// What the artisans of one node share, whatever threads they are on.
struct workshop {
  mutex lock;
  long total = 0;  // Guarded by lock, and by nothing else.
  channel<int> jobs{4};
  connected_ends tube;
};

/// The ways of waiting, in all styles: topics "artisan" and "apprentice".
class artisan {
 public:
  artisan(std::shared_ptr<board> counts, std::shared_ptr<workshop> shop)
      : counts_(std::move(counts)), shop_(std::move(shop)) {}

  /// Blocks its thread; counts whether another handler of it ran meanwhile.
  said block(context&, int milliseconds);
  task<said> beside(context& ctx);
  /// Blocks until it is told to stop.
  said hold(context& ctx);
  said plain(context&);

  /// How many of them ran at once, of calls that were started together.
  task<int> crowd(context& ctx);
  int call_together(context& ctx);

  /// The threads before, on a fiber (twice, with a pause between), and after.
  task<std::vector<std::string>> go_on_fiber(context& ctx);
  /// The threads before, in a coroutine that it waits for (twice), and after.
  std::vector<std::string> wait_for_coroutine(context& ctx);
  /// The threads before, of the offloaded function, and after.
  task<std::vector<std::string>> offload(context& ctx);
  std::vector<std::string> offload_on_fiber(context& ctx);

  /// Adds one to what is shared, and waits between reading and writing it.
  task<said> add_locked(context& ctx);
  said add_locked_on_fiber(context& ctx);
  long total(context&) { return shop_->total; }

  task<said> send(context& ctx, int from, int count);
  said receive_on_fiber(context& ctx, int count);
  task<said> trust(context& ctx);
  said trust_waiting(context& ctx);
  void close(context&) { shop_->jobs.close(); }

  /// Waits until something comes out of the tube, and reads one character of it.
  task<said> listen(context& ctx);
  said listen_waiting(context& ctx);
  void speak(context&, std::string text) { write_to(shop_->tube.far, text); }

  /// What becomes of something endless with a limit; "expired" if all is well.
  task<said> limit(context& ctx);
  said limit_on_fiber(context& ctx);

  /// Throws, waits where it is caught, and throws it on.
  said rethrow_on_fiber(context& ctx, std::string what);
  said rethrow_while_blocking(context& ctx, std::string what);
  task<said> rethrow_in_coroutine(context& ctx, std::string what);

  void begin_ticking(context& ctx);
  void end_ticking(context&) { ticker_.stop(); }

  /// What `wait` says where one cannot.
  said wait_in_plain(context& ctx);
  task<said> wait_in_coroutine(context& ctx);

 private:
  std::shared_ptr<board> counts_;
  std::shared_ptr<workshop> shop_;
  ticker ticker_;
  int inside_ = 0;
  int now_ = 0;
  int most_ = 0;
};

void serve_artisans(node& at, const std::shared_ptr<board>& counts);

}  // namespace mailroom::tests
