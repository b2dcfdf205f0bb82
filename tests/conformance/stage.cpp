#include <mailroom/tests/conformance/stage.hpp>
#include <mailroom/tests/support/process.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

namespace mailroom::tests {
namespace {

class server_here final : public probe_server {
 public:
  explicit server_here(node_options with) : host_(std::move(with)) {}
  std::string obey(const std::string& line) override { return host_.obey(line); }

 private:
  probe_host host_;
};

class server_across final : public probe_server {
 public:
  explicit server_across(const std::vector<std::string>& words) : process_(words) {}
  ~server_across() override {
    process_.close_input();
    BOOST_TEST(process_.wait().value_or(-1) == 0);
  }
  std::string obey(const std::string& line) override {
    process_.write_line(line);
    return process_.read_line().value_or("nothing in time: " + process_.errors());
  }

 private:
  process process_;
};

std::string unused_name() {
  static std::atomic<int> last{0};
  return "local://conformance-" + std::to_string(++last);
}

}  // namespace

std::unique_ptr<probe_server> start_server(const combination& of,
                                           const std::string& name,
                                           std::size_t max_body) {
  std::unique_ptr<probe_server> made;
  if (of.across) {
    made = std::make_unique<server_across>(std::vector<std::string>{
        MAILROOM_CONFORMANCE_SERVER, "serve", of.executor, name, std::to_string(max_body)});
  } else {
    made = std::make_unique<server_here>(node_options{.name = name,
                                                      .listen = unused_name(),
                                                      .executor = of.executor,
                                                      .loops = loops_for(of.executor),
                                                      .workers = 2,
                                                      .max_body = max_body});
  }
  made->start();
  return made;
}

stage::stage(const combination& wanted, const options& with) : playing(wanted) {
  log::set_level(log::level::error);
  static const std::vector<std::string> names{"first", "second"};
  for (std::size_t i = 0; i < with.servers; ++i) {
    servers.push_back(start_server(playing, names.at(i), with.max_body));
  }
  call_anew();
}

stage::~stage() {
  if (caller) {
    caller->stop(std::chrono::seconds(1));
  }
  for (auto& each : servers) {
    each->stop(std::chrono::milliseconds(50));
  }
}

void stage::call_anew() {
  if (caller) {
    caller->stop(std::chrono::seconds(1));
  }
  std::vector<std::string> addresses;
  for (const auto& each : servers) {
    addresses.push_back(each->address);
  }
  caller = std::make_unique<node>(node_options{.name = "caller",
                                               .connect = addresses,
                                               .executor = playing.executor,
                                               .loops = loops_for(playing.executor),
                                               .workers = 2});
  const auto started = caller->start();
  BOOST_REQUIRE_MESSAGE(started, why(started));
}

void stage::run(std::function<task<void>(context&)> body) {
  caller->run("case", std::move(body)).get();
}

bool stage::is_handler_thread(const std::string& name) const {
  if (playing.executor == "cooperative") {
    return name == "mr-coop";
  }
  if (playing.executor == "work-stealing") {
    return name == "mr-ws-0" || name == "mr-ws-1";
  }
  return name == (playing.executor == "loop-bound" ? "mr-loop-0" : "mr-loop-1");
}

void stage::check_thread(const said& answer) const {
  BOOST_TEST(is_handler_thread(answer.thread),
             playing.executor << " handler ran on " << answer.thread);
}

void stage::check_threads(const std::vector<std::string>& names) const {
  BOOST_TEST(!names.empty());
  for (const auto& each : names) {
    BOOST_TEST(is_handler_thread(each), playing.executor << " handler ran on " << each);
  }
}

void stage::check_ran(const std::string& what, long times, std::size_t index) {
  long there = 0;
  for (const std::string name : {"mr-coop", "mr-ws-0", "mr-ws-1", "mr-loop-0", "mr-loop-1"}) {
    there += is_handler_thread(name) ? server(index).count(what + " on " + name) : 0;
  }
  const long all = server(index).count(what);
  BOOST_TEST(all == times, what << ": " << all << " times, not " << times);
  BOOST_TEST(there == all, playing.executor << ": " << what << " elsewhere, " << all - there);
}

}  // namespace mailroom::tests
