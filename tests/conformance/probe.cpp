#include <mailroom/tests/conformance/probe.hpp>

#include <pthread.h>
#include <time.h>

#include <array>
#include <filesystem>
#include <iterator>
#include <stdexcept>

namespace mailroom::tests {
namespace {

[[noreturn]] void throw_as_told(const std::string& what) {
  if (what == "int") {
    throw 7;
  }
  if (what == "call_error") {
    throw call_error(error(errc::denied, "not for you"));
  }
  throw std::out_of_range(what);
}

client to_myself(const context& ctx) {
  return ctx.client({.topic = "probe", .version = "1.0"});
}

}  // namespace

std::string thread_name() {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return name.data();
}

said probe::plain(context&, std::string text) {
  counts_->ran("plain");
  return {std::move(text), thread_name()};
}

task<said> probe::coroutine(context& ctx, std::string text) {
  counts_->ran("coroutine");
  co_await ctx.sleep(1ms);
  co_return said{std::move(text), thread_name()};
}

said probe::suspending(context& ctx, std::string text) {
  counts_->ran("suspending");
  ctx.sleep(1ms);
  return {std::move(text), thread_name()};
}

task<std::vector<std::string>> probe::pause_in_coroutine(context& ctx) {
  std::vector<std::string> threads{thread_name()};
  co_await ctx.sleep(2ms);
  threads.push_back(thread_name());
  co_return threads;
}

std::vector<std::string> probe::pause_on_fiber(context& ctx) {
  std::vector<std::string> threads{thread_name()};
  ctx.sleep(2ms);
  threads.push_back(thread_name());
  return threads;
}

task<std::vector<std::string>> probe::descend(context& ctx, int levels) {
  std::vector<std::string> threads{thread_name()};
  if (levels > 1) {
    const auto below = co_await to_myself(ctx).async_call<std::vector<std::string>>(
        "descend_on_fiber", levels - 1);
    threads.insert(threads.end(), below.value().begin(), below.value().end());
  }
  co_return threads;
}

std::vector<std::string> probe::descend_on_fiber(context& ctx, int levels) {
  std::vector<std::string> threads{thread_name()};
  if (levels > 1) {
    const auto below = to_myself(ctx).call<std::vector<std::string>>("descend", levels - 1);
    threads.insert(threads.end(), below.value().begin(), below.value().end());
  }
  return threads;
}

task<said> probe::assemble(context&, std::size_t total) {
  const auto place = assembly_.enter();
  if (assembly_.size() == total) {
    assembly_.open();
  }
  co_await async::until(*place);
  co_return said{"all here", thread_name()};
}

said probe::assemble_on_fiber(context&, std::size_t total) {
  const auto place = assembly_.enter();
  if (assembly_.size() == total) {
    assembly_.open();
  }
  async::wait(*place);
  return {"all here", thread_name()};
}

task<said> probe::wait_at_gate(context&) {
  counts_->ran("gate_reached");
  const auto place = gate_.enter();
  co_await async::until(*place);
  counts_->ran("gate_passed");
  co_return said{"through", thread_name()};
}

said probe::wait_at_gate_on_fiber(context&) {
  counts_->ran("gate_reached");
  const auto place = gate_.enter();
  async::wait(*place);
  counts_->ran("gate_passed");
  return {"through", thread_name()};
}

int probe::open_gate(context&) {
  const auto waited = static_cast<int>(gate_.size());
  gate_.open();
  return waited;
}

said probe::throws(context&, std::string what) {
  counts_->ran("threw");
  throw_as_told(what);
}

task<said> probe::throws_in_coroutine(context& ctx, std::string what) {
  co_await ctx.sleep(1ms);
  counts_->ran("threw");
  throw_as_told(what);
  co_return said{};
}

said probe::throws_on_fiber(context& ctx, std::string what) {
  ctx.sleep(1ms);
  counts_->ran("threw");
  throw_as_told(what);
}

task<said> probe::never(context& ctx) {
  counts_->ran("never_started");
  co_await ctx.sleep(1h);
  co_return said{"too late", thread_name()};
}

task<said> probe::nap(context& ctx, int milliseconds) {
  counts_->ran("nap_started");
  co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
  counts_->ran("nap_ended");
  co_return said{"rested", thread_name()};
}

int probe::add(context&, int a, int b) {
  counts_->ran("added");
  return a + b;
}

bytes probe::same(context&, bytes body) {
  counts_->ran("same");
  return body;
}

std::string probe::make(context&, std::size_t size) {
  counts_->ran("made");
  return std::string(size, 'x');
}

said probe::calls_in_plain(context& ctx) {
  const auto got = to_myself(ctx).call<said>("plain", "nested");
  return {got ? "answered" : got.error().to_string(), thread_name()};
}

task<said> probe::calls_in_coroutine(context& ctx) {
  const auto got = to_myself(ctx).call<said>("plain", "nested");
  co_return said{got ? "answered" : got.error().to_string(), thread_name()};
}

void probe::note(context&, int number) {
  notes_.push_back(number);
  counts_->ran("noted");
}

std::size_t probe::threads(context&) {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

task<int> hermit::nap(context& ctx, int milliseconds) {
  counts_->ran("hermit_started");
  most_ = std::max(most_, ++now_);
  co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
  --now_;
  co_return most_;
}

task<said> hermit::ask(context& ctx, std::vector<std::string> path) {
  if (path.empty()) {
    co_return said{"asked", thread_name()};
  }
  const auto next = ctx.client({.topic = path.front()});
  path.erase(path.begin());
  const auto got = co_await next.async_call<said>("ask", path);
  said answer{got ? got->text : got.error().to_string(), thread_name()};
  co_return answer;
}

said hermit::burn(context&, int milliseconds) {
  counts_->count("burning");
  const auto spent = [] {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  };
  const auto end = spent() + std::chrono::milliseconds(milliseconds);
  while (spent() < end) {
  }
  return {"burnt", thread_name()};
}

void serve_probes(node& at, const std::shared_ptr<board>& counts) {
  at.serve({.topic = "probe", .version = "1.4"},
           endpoint<probe>(counts)
               .method("plain", &probe::plain)
               .method("coroutine", &probe::coroutine)
               .method("suspending", &probe::suspending, mailroom::suspending)
               .method("pause_in_coroutine", &probe::pause_in_coroutine)
               .method("pause_on_fiber", &probe::pause_on_fiber, mailroom::suspending)
               .method("descend", &probe::descend)
               .method("descend_on_fiber", &probe::descend_on_fiber, mailroom::suspending)
               .method("assemble", &probe::assemble)
               .method("assemble_on_fiber", &probe::assemble_on_fiber, mailroom::suspending)
               .method("wait_at_gate", &probe::wait_at_gate)
               .method("wait_at_gate_on_fiber", &probe::wait_at_gate_on_fiber, mailroom::suspending)
               .method("open_gate", &probe::open_gate)
               .method("throws", &probe::throws)
               .method("throws_in_coroutine", &probe::throws_in_coroutine)
               .method("throws_on_fiber", &probe::throws_on_fiber, mailroom::suspending)
               .method("never", &probe::never)
               .method("nap", &probe::nap)
               .method("add", &probe::add)
               .method("same", &probe::same)
               .method("make", &probe::make)
               .method("calls_in_plain", &probe::calls_in_plain)
               .method("calls_in_coroutine", &probe::calls_in_coroutine)
               .method("note", &probe::note)
               .method("noted", &probe::noted)
               .method("threads", &probe::threads))
      .value();
  at.serve({.topic = "probe", .name_space = "second", .version = "2.1"},
           endpoint<probe>(counts).method("plain", &probe::plain))
      .value();
  for (const auto* topic : {"alone", "crowded", "left", "right"}) {
    at.serve({.topic = topic},
             endpoint<hermit>(counts)
                 .method("nap", &hermit::nap)
                 .method("ask", &hermit::ask)
                 .method("burn", &hermit::burn)
                 .method("thread", &hermit::thread)
                 .exclusive()
                 .queue_limit(std::string_view(topic) == "crowded" ? 10 : 65'536))
        .value();
  }
}

void serve_idle(node& at, std::size_t count) {
  static std::size_t last = 0;
  for (; count > 0; --count) {
    at.serve({.topic = "idle", .name_space = std::to_string(++last)},
             endpoint<hermit>(std::shared_ptr<board>()).method("thread", &hermit::thread))
        .value();
  }
}

}  // namespace mailroom::tests
