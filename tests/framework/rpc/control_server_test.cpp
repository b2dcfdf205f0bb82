#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/control_server.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

// What peers may do to the control address of a node.

namespace mailroom::tests::control_server_test {
namespace {

// Keeps what is logged, while it lives.
class logged {
 public:
  logged() {
    log::set_level(log::level::warn);
    log::set_platform(nullptr);
    log::set_sink([this](log::level, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    });
  }
  ~logged() { log::set_sink({}); }
  logged(const logged&) = delete;
  logged& operator=(const logged&) = delete;

  std::size_t lines_with(std::string_view word) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(lines_.begin(), lines_.end(), [&](const std::string& line) {
          return line.find(word) != std::string::npos;
        }));
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;  // Guarded by mutex_.
};

struct serving {
  explicit serving(duration heartbeat = std::chrono::seconds(10)) {
    rpc::control_server::identity self;
    self.node = "back";
    self.heartbeat = heartbeat;
    on_loop([&] {
      server = std::make_unique<rpc::control_server>(
          back.loop(), platform::system(), sessions, self, [this](const auto&) { ended.add(); });
    });
  }
  ~serving() {
    on_loop([this] {
      server->close();
      server.reset();
    });
  }
  void on_loop(const std::function<void()>& what) { back.on_loop(what); }

  // A peer that has said hello.
  struct peer {
    fake_link link;
    rpc::link_observer* server_end = nullptr;
  };
  peer& greet() {
    peer& made = peers.emplace_back();
    on_loop([&] { made.server_end = server->on_accept(made.link); });
    say(made, [](wire::batch& into) { wire::write_hello(into, {}); });
    return made;
  }
  void say(peer& by, const std::function<void(wire::batch&)>& write) {
    wire::batch batch(wire::plane::control);
    write(batch);
    on_loop([&] {
      if (!by.link.closed) {
        by.server_end->on_frame(by.link, wire::frame(batch.take()));
      }
    });
  }

  logged log;
  site back{"back"};
  rpc::session_table sessions;
  tally ended;
  std::deque<peer> peers;
  std::unique_ptr<rpc::control_server> server;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_control_server)

// What it asked for was kept for it, without a bound.
BOOST_AUTO_TEST_CASE(cuts_off_a_peer_that_does_not_read_its_answers) {
  serving s;
  s.on_loop([&] {
    s.server->add_verb("much", [](auto) -> result<wire::buffer> {
      wire::buffer value;
      wire::pack(value, std::string(std::size_t{1} << 20U, 'x'));
      return value;
    });
  });
  auto& reads = s.greet();
  auto& deaf = s.greet();
  s.on_loop([&] { deaf.link.stuck = true; });
  const std::byte nil{0xc0};
  const auto ask = [&](wire::batch& into) { wire::write_admin(into, {1, "much", {&nil, 1}}); };
  for (int i = 0; i < 60; ++i) {
    s.say(reads, ask);
    s.say(deaf, ask);
  }
  BOOST_TEST(!deaf.link.closed);
  for (int i = 0; i < 10; ++i) {
    s.say(reads, ask);
    s.say(deaf, ask);
  }
  BOOST_TEST(deaf.link.closed);
  BOOST_TEST(!reads.link.closed);
  BOOST_TEST(s.ended.value() == 1);
  BOOST_TEST(s.sessions.size() == 1U);
  BOOST_TEST(s.log.lines_with("peer_cut_off") == 1U);
}

// A line for each: whoever says hello and goes may fill a disk.
BOOST_AUTO_TEST_CASE(tells_of_few_of_the_peers_that_are_lost_at_once) {
  serving s(100ms);
  constexpr int many = 200;
  for (int i = 0; i < many; ++i) {
    s.greet();
  }
  BOOST_TEST(s.ended.reaches(many));
  BOOST_TEST(s.sessions.size() == 0U);
  BOOST_TEST(s.log.lines_with("peer_lost") >= 1U);
  BOOST_TEST(s.log.lines_with("peer_lost") < 100U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::control_server_test
