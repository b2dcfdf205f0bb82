#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <span>
#include <utility>

namespace mailroom::tests {
namespace {

rpc::session_id next_session() {
  static std::atomic<std::uint64_t> last{0};
  rpc::session_id id{};
  wire::store(id.data(), ++last);
  return id;
}

}  // namespace

site::site(std::string name, options with)
    : name_(std::move(name)),
      loop_("mr-" + name_, platform::system()),
      pool_(with.blocking_threads),
      connector_(loop_, platform::system(), with.outgoing),
      credit_bytes_(with.bounds.credit_bytes),
      server_(loop_, dispatcher_, sessions_, with.bounds, &answers_) {
  loop_.start();
  executors::executor::options how;
  how.name = name_;
  how.workers = with.workers;
  how.run = &direct_runner::run_turn;
  if (with.policy == "loop-bound") {
    how.loops.push_back(&loop_);
  }
  auto made = executors::make_executor(with.policy, std::move(how));
  BOOST_REQUIRE(made);
  executor_ = *std::move(made);
  executor_->start();
  on_loop([this] { port_ = transport_.listen(loop_, "local://*", server_).value(); });
  address_ = port_->address();
}

site::~site() {
  close();
}

void site::close() {
  if (!std::exchange(open_, false)) {
    return;
  }
  end();
  BOOST_TEST(eventually([this] {
    return std::all_of(runners_.begin(), runners_.end(), [](const auto& each) {
      return each->activation().quiet();
    });
  }));
  pool_.stop(clock::now() + 5s);
  on_loop([this] {
    connector_.close();
    server_.close();
    port_.reset();
  });
  executor_->stop(deadline::after(clock::now(), 5s));
  loop_.stop();
}

void site::end() {
  for (auto& each : runners_) {
    each->activation().end();
  }
}

void site::on_loop(const std::function<void()>& what) {
  const auto done = std::make_shared<tally>();  // Its `add` may still be returning when we go on.
  loop_.post([&what, done] {
    what();
    done->add();
  });
  const bool is_done = done->reaches(1);
  BOOST_REQUIRE(is_done);  // Checks there and here must not meet: first all is done there.
}

std::vector<rpc::activation*> site::add(const target& at,
                                        std::shared_ptr<const rpc::endpoint_definition> what) {
  std::vector<rpc::activation*> instances{&run(at, what)};
  auto how = rpc::sharing::balanced;
  if (what->others) {
    for (const auto& each : what->others->all) {
      instances.push_back(&run(at, each));
    }
    how = what->others->how;
  }
  dispatcher_.add(std::make_shared<const target>(at), instances, how);
  return instances;
}

rpc::activation& site::run(const target& at, std::shared_ptr<const rpc::endpoint_definition> what) {
  // Always the same worker, as a runtime must do for endpoints with fibers.
  const auto worker = executors::affinity::worker(next_worker_++);
  const bool fibers = std::any_of(what->methods.begin(), what->methods.end(), [](const auto& each) {
    return each->how() == async::style::suspending;
  });
  runners_.push_back(
      std::make_unique<direct_runner>(*executor_,
                                      fibers ? worker : executors::affinity::anywhere(),
                                      std::move(what),
                                      at.topic,
                                      connector_,
                                      &pool_,
                                      &loop_));
  return runners_.back()->activation();
}

rpc::session_id site::open_session(const std::string& peer, bool knows_all) {
  const auto id = next_session();
  rpc::session_table::session session;
  session.node = peer;
  session.credits = knows_all;
  session.chunks = knows_all;
  sessions_.open(id, std::move(session));
  return id;
}

void site::connect(site& other, std::uint32_t in_flight, const rpc::node_labels& labels) {
  rpc::connector::session_info agreed;
  agreed.address = "control://" + other.name_;
  agreed.node = other.name_;
  agreed.data = {other.address_};
  agreed.session = other.open_session(name_, true);
  // Who is told of fewer calls than the server takes would wait for credit that it does not give.
  agreed.credit_bytes = in_flight == 65'536 ? other.credit_bytes_ : 0;
  agreed.chunks = true;
  agreed.in_flight = in_flight;
  agreed.labels = labels;
  agreed.topics = other.dispatcher_.topics();
  agreed.cancel = [&other, session = agreed.session](const wire::cancel& what) {
    other.loop_.post(
        [&other, session, what] { other.server_.cancel(session, std::span(&what, 1)); });
  };
  const auto up = std::make_shared<tally>();
  on_loop([&] {
    connector_.open_session(
        transport_, std::move(agreed), [up](const std::string&, const error* ended) {
          if (ended == nullptr) {
            up->add();
          }
        });
  });
  BOOST_REQUIRE(up->reaches(1));
}

void site::cut(site& other) {
  const auto address = "control://" + other.name_;
  on_loop([&] { connector_.close_session(address, error(errc::lost, "cut by the test")); });
}

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

}  // namespace mailroom::tests
