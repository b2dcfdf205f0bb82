// Serves a topic. Every handler first writes down that it runs: "ID START DEADLINE METHOD".

#include <mailroom/tests/cluster/journal.hpp>

#include <mailroom/mailroom.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

namespace {

using mailroom::bytes;
using mailroom::context;
using mailroom::task;
using mailroom::tests::in_journal;

/// All methods are called alike: a number that no other call has, how long it takes, and what is
/// sent along. They answer the number.
class worker {
 public:
  explicit worker(std::shared_ptr<mailroom::tests::journal> into) : journal_(std::move(into)) {}

  std::uint64_t quick(context& ctx, std::uint64_t id, int, bytes) { return begin(ctx, id); }

  task<std::uint64_t> slow(context& ctx, std::uint64_t id, int milliseconds, bytes) {
    begin(ctx, id);
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return id;
  }

  /// Keeps its thread for as long, as a plain handler or on the pool.
  std::uint64_t grind(context& ctx, std::uint64_t id, int milliseconds, bytes) {
    begin(ctx, id);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return id;
  }

  /// Does not end.
  std::uint64_t hang(context& ctx, std::uint64_t id, int, bytes) {
    for (begin(ctx, id);;) {
      std::this_thread::sleep_for(std::chrono::hours(1));
    }
  }

 private:
  std::uint64_t begin(context& ctx, std::uint64_t id) {
    const auto now = mailroom::clock::now();
    journal_->write(std::to_string(id) + ' ' + in_journal(now) + ' ' +
                    in_journal(ctx.deadline().at()) + ' ' + std::string(ctx.name()));
    return id;
  }

  std::shared_ptr<mailroom::tests::journal> journal_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string topic;
  std::shared_ptr<mailroom::tests::journal> journal;
  return mailroom::run_service(
      argc,
      argv,
      [&](mailroom::node& node) {
        node.serve({.topic = topic},
                   mailroom::endpoint<worker>(journal)
                       .method("quick", &worker::quick)
                       .method("again", &worker::quick, mailroom::idempotent)
                       .method("slow", &worker::slow)
                       .method("grind", &worker::grind)
                       .method("block", &worker::grind, mailroom::blocking)
                       .method("hang", &worker::hang))
            .value();
      },
      {.description = "writes down what it runs",
       .settings = {{.key = "topic", .fallback = "work", .help = "what it serves"},
                    {.key = "journal", .fallback = "/dev/null", .help = "file that grows"}},
       .configured = [&](const mailroom::config& settings) {
         topic = settings.text("topic");
         journal = std::make_shared<mailroom::tests::journal>(settings.text("journal"));
       }});
}
