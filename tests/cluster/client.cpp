// Calls a topic and writes down what came of each call; says "done" when all have ended.

#include <mailroom/tests/cluster/load.hpp>

#include <mailroom/services/host/service_settings.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace {

using namespace mailroom;

/// The loads of a process: two of the service's own node, one of each node beside it.
class loads {
 public:
  static std::vector<option> settings() {
    auto all = tests::load::settings("load", "1");
    for (auto& each : tests::load::settings("beside", "0")) {
      all.push_back(std::move(each));
    }
    all.push_back({.key = "journal", .fallback = "/dev/null", .help = "file that grows"});
    all.push_back({.key = "nodes",
                   .type = option_type::integer,
                   .fallback = "1",
                   .help = "nodes with this load",
                   .minimum = 1});
    return all;
  }

  void configure(const config& given) {
    journal_.emplace(given.text("journal"));
    beside_ = std::make_unique<tests::load>("beside", given, *journal_);
    for (auto left = given.integer("nodes"); left > 0; --left) {
      loads_.push_back(std::make_unique<tests::load>("load", given, *journal_));
    }
    of_others_ = node_options_from(given).value();
    of_others_.listen.clear();
  }

  void start(node& first) {
    std::vector<std::future<void>> ended;
    ended.push_back(beside_->start(first));
    ended.push_back(loads_.front()->start(first));
    for (std::size_t i = 1; i < loads_.size(); ++i) {
      auto with = of_others_;
      with.name = first.name() + "-" + std::to_string(i);
      auto& made = *others_.emplace_back(std::make_unique<node>(std::move(with)));
      made.start().value();
      ended.push_back(loads_[i]->start(made));
    }
    waiting_ = std::jthread([ended = std::move(ended)]() mutable {
      for (auto& each : ended) {
        each.get();
      }
      std::puts("done");
      std::fflush(stdout);
    });
  }

  void stop() {
    beside_->stop();
    for (auto& each : loads_) {
      each->stop();
    }
    waiting_.join();
    others_.clear();
  }

 private:
  std::optional<tests::journal> journal_;
  node_options of_others_;
  std::unique_ptr<tests::load> beside_;
  std::vector<std::unique_ptr<tests::load>> loads_;
  std::vector<std::unique_ptr<node>> others_;
  std::jthread waiting_;
};

}  // namespace

int main(int argc, char** argv) {
  loads all;
  return run_service(argc,
                     argv,
                     [](node&) {},
                     {.description = "writes down what came of its calls",
                      .settings = loads::settings(),
                      .configured = [&](const config& given) { all.configure(given); },
                      .started = [&](node& first) { all.start(first); },
                      .stopping = [&](node&) { all.stop(); }});
}
