#include <mailroom/tests/conformance/artisan.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>

namespace mailroom::tests {
namespace {

client to_artisan(const context& ctx) {
  return ctx.client({.topic = "artisan"});
}

task<void> endless(context& ctx) {
  co_await ctx.sleep(1h);
}

}  // namespace

said artisan::block(context&, int milliseconds) {
  if (++inside_ > 1) {
    counts_->count("together");
  }
  counts_->count("blocked");
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  --inside_;
  return {"blocked", thread_name()};
}

task<said> artisan::beside(context& ctx) {
  for (int i = 0; i < 3; ++i) {
    if (inside_ != 0) {
      counts_->count("together");
    }
    co_await ctx.sleep(1ms);
  }
  co_return said{"beside", thread_name()};
}

said artisan::hold(context& ctx) {
  const auto stop = ctx.stop_token();
  counts_->count("holding");
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  counts_->count("told");
  return {"let go", thread_name()};
}

said artisan::plain(context&) {
  if (inside_ != 0) {
    counts_->count("together");
  }
  return {"plain", thread_name()};
}

task<int> artisan::crowd(context& ctx) {
  counts_->ran("crowded");
  most_ = std::max(most_, ++now_);
  co_await ctx.sleep(100ms);
  --now_;
  co_return most_;
}

int artisan::call_together(context& ctx) {
  counts_->ran("called");
  const auto to = to_artisan(ctx);
  auto first = to.async_call<int>("crowd");
  auto second = to.async_call<int>("crowd");
  auto third = to.async_call<int>("crowd");
  return std::min({mailroom::wait(third).value(),
                   mailroom::wait(second).value(),
                   mailroom::wait(first).value()});
}

task<std::vector<std::string>> artisan::go_on_fiber(context& ctx) {
  std::vector<std::string> threads{thread_name()};
  co_await on_fiber([&] {
    threads.push_back(thread_name());
    ctx.sleep(2ms);
    threads.push_back(thread_name());
  });
  threads.push_back(thread_name());
  co_return threads;
}

std::vector<std::string> artisan::wait_for_coroutine(context& ctx) {
  std::vector<std::string> threads{thread_name()};
  const auto part = [&]() -> task<void> {
    threads.push_back(thread_name());
    co_await ctx.sleep(2ms);
    threads.push_back(thread_name());
  };
  mailroom::wait(part());
  threads.push_back(thread_name());
  return threads;
}

task<std::vector<std::string>> artisan::offload(context& ctx) {
  std::vector<std::string> threads{thread_name()};
  threads.push_back(co_await ctx.offload([] { return thread_name(); }));
  threads.push_back(thread_name());
  co_return threads;
}

std::vector<std::string> artisan::offload_on_fiber(context& ctx) {
  std::vector<std::string> threads{thread_name()};
  threads.push_back(mailroom::wait(ctx.offload([] { return thread_name(); })));
  threads.push_back(thread_name());
  return threads;
}

task<said> artisan::add_locked(context& ctx) {
  const auto held = co_await shop_->lock.lock();
  const long before = shop_->total;
  co_await ctx.sleep(100us);
  shop_->total = before + 1;
  co_return said{"added", thread_name()};
}

said artisan::add_locked_on_fiber(context& ctx) {
  const auto held = mailroom::wait(shop_->lock.lock());
  const long before = shop_->total;
  ctx.sleep(100us);
  shop_->total = before + 1;
  return {"added", thread_name()};
}

task<said> artisan::trust(context&) {
  promise<std::string> given;
  const auto kept = given.get_future();
  std::thread keeps([given = std::move(given)]() mutable { given.set(std::string("kept")); });
  const auto got = co_await kept;
  keeps.join();
  co_return said{got.value(), thread_name()};
}

said artisan::trust_waiting(context&) {
  promise<std::string> given;
  const auto kept = given.get_future();
  std::thread keeps([given = std::move(given)]() mutable { given.set(std::string("kept")); });
  const auto got = mailroom::wait(kept);
  keeps.join();
  return {got.value(), thread_name()};
}

task<said> artisan::send(context&, int from, int count) {
  for (int i = 0; i < count; ++i) {
    (co_await shop_->jobs.send(from + i)).value();
  }
  co_return said{"sent", thread_name()};
}

said artisan::receive_on_fiber(context&, int count) {
  long sum = 0;
  for (int i = 0; i < count; ++i) {
    const auto got = mailroom::wait(shop_->jobs.receive());
    if (!got) {
      return {"closed", thread_name()};
    }
    sum += *got;
  }
  return {std::to_string(sum), thread_name()};
}

task<said> artisan::limit(context& ctx) {
  const auto came = co_await wait_for(endless(ctx), 5ms);
  co_return said{came ? "came" : std::string(to_string(came.error().code())), thread_name()};
}

said artisan::limit_on_fiber(context& ctx) {
  const auto came = mailroom::wait(endless(ctx), 5ms);
  return {came ? "came" : std::string(to_string(came.error().code())), thread_name()};
}

said artisan::rethrow_while_blocking(context& ctx, std::string what) {
  counts_->count(thread_name().starts_with("mr-block-") ? "blocked" : "did not block");
  try {
    throw std::out_of_range(what);
  } catch (const std::exception&) {
    ctx.sleep(2ms);
    throw;
  }
}

said artisan::rethrow_on_fiber(context& ctx, std::string what) {
  try {
    throw std::out_of_range(what);
  } catch (const std::exception&) {
    ctx.sleep(2ms);
    counts_->ran("threw on");
    throw;
  }
}

task<said> artisan::rethrow_in_coroutine(context& ctx, std::string what) {
  std::exception_ptr caught;
  try {
    throw std::out_of_range(what);
  } catch (...) {
    caught = std::current_exception();
  }
  co_await ctx.sleep(2ms);
  counts_->ran("threw on");
  std::rethrow_exception(caught);
}

task<said> artisan::listen(context& ctx) {
  co_await ctx.io().readable(shop_->tube.near.get());
  co_return said{std::string(1, read_from(shop_->tube.near.get())), thread_name()};
}

said artisan::listen_waiting(context& ctx) {
  mailroom::wait(ctx.io().readable(shop_->tube.near.get()));
  return {std::string(1, read_from(shop_->tube.near.get())), thread_name()};
}

void artisan::begin_ticking(context& ctx) {
  ticker_ = ctx.every(2ms, [this] { counts_->ran("ticks"); });
}

said artisan::wait_in_plain(context& ctx) {
  try {
    mailroom::wait(endless(ctx));
  } catch (const call_error& refused) {
    return {refused.why().to_string(), thread_name()};
  }
  return {"waited", thread_name()};
}

task<said> artisan::wait_in_coroutine(context& ctx) {
  try {
    mailroom::wait(endless(ctx));
  } catch (const call_error& refused) {
    co_return said{refused.why().to_string(), thread_name()};
  }
  co_return said{"waited", thread_name()};
}

void serve_artisans(node& at, const std::shared_ptr<board>& counts) {
  const auto shop = std::make_shared<workshop>();
  for (const auto* topic : {"artisan", "apprentice"}) {
    at.serve({.topic = topic},
             endpoint<artisan>(counts, shop)
                 .method("block", &artisan::block, blocking)
                 .method("beside", &artisan::beside)
                 .method("hold", &artisan::hold, blocking)
                 .method("plain", &artisan::plain)
                 .method("crowd", &artisan::crowd)
                 .method("call_together", &artisan::call_together, suspending)
                 .method("go_on_fiber", &artisan::go_on_fiber)
                 .method("wait_for_coroutine", &artisan::wait_for_coroutine, suspending)
                 .method("offload", &artisan::offload)
                 .method("offload_on_fiber", &artisan::offload_on_fiber, suspending)
                 .method("add_locked", &artisan::add_locked)
                 .method("add_locked_on_fiber", &artisan::add_locked_on_fiber, suspending)
                 .method("total", &artisan::total)
                 .method("send", &artisan::send)
                 .method("receive_on_fiber", &artisan::receive_on_fiber, suspending)
                 .method("close", &artisan::close)
                 .method("trust", &artisan::trust)
                 .method("trust_on_fiber", &artisan::trust_waiting, suspending)
                 .method("trust_while_blocking", &artisan::trust_waiting, blocking)
                 .method("listen", &artisan::listen)
                 .method("listen_on_fiber", &artisan::listen_waiting, suspending)
                 .method("listen_while_blocking", &artisan::listen_waiting, blocking)
                 .method("speak", &artisan::speak)
                 .method("limit", &artisan::limit)
                 .method("limit_on_fiber", &artisan::limit_on_fiber, suspending)
                 .method("rethrow_on_fiber", &artisan::rethrow_on_fiber, suspending)
                 .method("rethrow_while_blocking", &artisan::rethrow_while_blocking, blocking)
                 .method("rethrow_in_coroutine", &artisan::rethrow_in_coroutine)
                 .method("begin_ticking", &artisan::begin_ticking)
                 .method("end_ticking", &artisan::end_ticking)
                 .method("wait_in_plain", &artisan::wait_in_plain)
                 .method("wait_in_coroutine", &artisan::wait_in_coroutine))
        .value();
  }
}

}  // namespace mailroom::tests
