#define BOOST_TEST_MODULE host_node

#include <mailroom/services/host/node.hpp>

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <string>
#include <thread>

using namespace mailroom;

namespace {

// Keeps its thread until it is let go.
class stuck {
 public:
  explicit stuck(std::shared_ptr<std::promise<void>> here, std::shared_future<void> let_go)
      : here_(std::move(here)), let_go_(std::move(let_go)) {}
  void hold(context&) {
    here_->set_value();
    let_go_.wait();
  }

 private:
  std::shared_ptr<std::promise<void>> here_;
  std::shared_future<void> let_go_;
};

std::string code_of(std::future<void>& task) {
  try {
    task.get();
    return "ok";
  } catch (const call_error& failed) {
    return std::string(to_string(failed.why().code()));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(host_node)

// It began after everything had been cancelled, waited for ever, and `stop` gave the node up.
BOOST_AUTO_TEST_CASE(does_not_begin_a_task_once_it_stops) {
  log::set_level(log::level::error);
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto here = std::make_shared<std::promise<void>>();
      std::promise<void> let_go;
      node at({.executor = std::string(policy), .workers = 1});
      at.serve({.topic = "stuck"},
               endpoint<stuck>(here, let_go.get_future().share()).method("hold", &stuck::hold));
      at.start().value();
      auto held = client(at, {.topic = "stuck"}).future_call<void>("hold");
      here->get_future().wait();
      bool begun = false;
      auto task = at.run("late", [&](context& ctx) -> mailroom::task<void> {
        begun = true;
        co_await ctx.sleep(1h);
      });
      std::thread other([&] {
        std::this_thread::sleep_for(200ms);
        let_go.set_value();
      });
      BOOST_TEST(!at.stop(0ms));  // A handler ran. What counts is that it ends.
      other.join();
      BOOST_TEST_REQUIRE((task.wait_for(5s) == std::future_status::ready));
      BOOST_TEST(code_of(task) == "cancelled");
      BOOST_TEST(!begun);
      BOOST_TEST(at.start().has_value());
      BOOST_TEST(at.stop());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
