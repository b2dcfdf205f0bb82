#include <mailroom/tests/framework/directory/support.hpp>
#include <mailroom/tests/support/eventually.hpp>

#include <mailroom/framework/directory/membership.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

// What a node makes of its directories, which are the test.

namespace mailroom::tests::directory_membership_test {
namespace {

using directory::key;
using directory::news;
using directory::registration;
using state = directory::source::state;

class scripted final : public directory::source {
 public:
  scripted(std::string name, directory::observer& tells)
      : name_(std::move(name)), observer_(tells) {}

  const std::string& name() const noexcept override { return name_; }
  state reached() const noexcept override { return state_; }
  std::string why() const override { return name_ + " is out of reach"; }
  void publish(const registration& self, std::function<void()> told) override {
    published = self;
    taken = std::move(told);
  }
  void watch(const key& what) override { watched.insert(what); }
  bool has_told(const key& what) const override { return told_.contains(what); }
  time_point settled_at() const noexcept override { return settled_at_; }
  void close(const directory::farewell&) noexcept override {}

  void becomes(state now) {
    state_ = now;
    observer_.on_changed(*this);
  }
  /// Tells all that it knows of what is watched.
  void tells(std::vector<registration> who, time_point settled_at = time_point::min()) {
    news all;
    all.complete = true;
    all.joined = std::move(who);
    told_ = watched;
    settled_at_ = settled_at;
    observer_.on_news(*this, all);
    observer_.on_changed(*this);
  }

  registration published;
  std::function<void()> taken;
  std::set<key> watched;

 private:
  const std::string name_;
  directory::observer& observer_;
  state state_ = state::trying;
  std::set<key> told_;
  time_point settled_at_ = time_point::min();
};

// A node's membership; everything happens on its thread.
struct member {
  explicit member(std::vector<std::string> directories) {
    loop.start();
    on_loop([&] {
      of = std::make_unique<directory::membership>(
          loop,
          platform::system(),
          identity(99),
          directory::membership::hooks{
              .found = [this](const registration& server) { found.push_back(server.address); },
              .gone = [this](const std::string& address) { gone.push_back(address); },
              .awaited = [this](const key& what, bool is) { awaited[what] = is; },
              .without = [this](const std::string& why) { without = why; }});
      for (const auto& name : directories) {
        auto made = std::make_unique<scripted>(name, of->listener());
        all.push_back(made.get());
        of->add(std::move(made));
      }
    });
  }
  ~member() {
    on_loop([this] {
      of->close({});
      of.reset();
    });
    loop.stop();
  }
  void on_loop(const std::function<void()>& what) {
    std::promise<void> done;
    loop.post([&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }
  /// Callers wait until they are told that they need not.
  bool waits(const key& what) const {
    const auto at = awaited.find(what);
    return at == awaited.end() || at->second;
  }

  executors::event_loop loop{"mr-ctl", platform::system()};
  std::vector<scripted*> all;
  std::unique_ptr<directory::membership> of;
  names found;
  names gone;
  std::map<key, bool> awaited;
  std::string without;
};

const key asked = topic("t");

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_membership)

BOOST_AUTO_TEST_CASE(has_callers_wait_until_all_that_can_be_reached_have_told) {
  member m({"a", "b"});
  m.on_loop([&] {
    m.of->call(asked);
    BOOST_TEST(m.waits(asked));
    m.all[0]->becomes(state::reached);
    m.all[0]->tells({});
    BOOST_TEST(m.waits(asked));
    m.all[1]->becomes(state::unreached);
    BOOST_TEST(!m.waits(asked));
    BOOST_TEST(m.without.empty());
    // It is there now, and has not told.
    m.all[1]->becomes(state::reached);
    BOOST_TEST(m.waits(asked));
    m.all[1]->tells({});
    BOOST_TEST(!m.waits(asked));
  });
}

BOOST_AUTO_TEST_CASE(tells_why_no_directory_is_reached) {
  member m({"a", "b"});
  m.on_loop([&] {
    m.of->call(asked);
    m.all[0]->becomes(state::unreached);
    BOOST_TEST(m.without.empty());
    m.all[1]->becomes(state::unreached);
    BOOST_TEST(m.without == "a is out of reach; b is out of reach");
    BOOST_TEST(!m.waits(asked));
    m.all[0]->becomes(state::reached);
    BOOST_TEST(m.without.empty());
  });
}

BOOST_AUTO_TEST_CASE(has_callers_wait_until_the_servers_found_were_tried_once) {
  member m({"a"});
  m.on_loop([&] {
    m.of->call(asked);
    m.of->call(topic("u"));
    m.all[0]->becomes(state::reached);
    m.all[0]->tells({node_at("tcp://x:1", 1, {asked}), node_at("tcp://y:1", 2, {asked})});
    BOOST_TEST(m.found == (names{"tcp://x:1", "tcp://y:1"}), boost::test_tools::per_element());
    BOOST_TEST(m.waits(asked));
    BOOST_TEST(!m.waits(topic("u")));
    m.of->settled("tcp://x:1");
    BOOST_TEST(m.waits(asked));
    m.of->settled("tcp://y:1");
    BOOST_TEST(!m.waits(asked));
  });
}

BOOST_AUTO_TEST_CASE(has_callers_wait_while_a_directory_settles_unless_there_is_a_server) {
  member m({"a"});
  m.on_loop([&] {
    m.of->call(asked);
    m.of->call(topic("u"));
    m.all[0]->becomes(state::reached);
    m.all[0]->tells({node_at("tcp://x:1", 1, {asked})}, platform::system().now() + 50ms);
    m.of->settled("tcp://x:1");
    BOOST_TEST(!m.waits(asked));
    BOOST_TEST(m.waits(topic("u")));
  });
  BOOST_TEST(eventually([&] {
    bool waits = true;
    m.on_loop([&] { waits = m.waits(topic("u")); });
    return !waits;
  }));
}

BOOST_AUTO_TEST_CASE(does_not_find_itself_nor_who_drains) {
  member m({"a"});
  m.on_loop([&] {
    m.of->call(asked);
    m.all[0]->becomes(state::reached);
    auto drains = node_at("tcp://x:1", 1, {asked});
    m.all[0]->tells({node_at("tcp://me:1", 99, {asked}), drains});
    BOOST_TEST(m.found == names{"tcp://x:1"}, boost::test_tools::per_element());
    drains.draining = true;
    m.all[0]->tells({drains});
    BOOST_TEST(m.gone == names{"tcp://x:1"}, boost::test_tools::per_element());
    BOOST_TEST(!m.of->has("tcp://x:1"));
    // The next one at its address.
    m.all[0]->tells({node_at("tcp://x:1", 2, {asked}, 2)});
    BOOST_TEST(m.found.size() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(has_published_when_all_have_taken_it) {
  member m({"a", "b"});
  m.on_loop([&] {
    int told = 0;
    m.of->publish(node_at("tcp://me:1", 99, {asked}), [&] { ++told; });
    m.all[0]->taken();
    BOOST_TEST(told == 0);
    m.all[1]->taken();
    BOOST_TEST(told == 1);
    BOOST_TEST(m.all[0]->published.address == "tcp://me:1");
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::directory_membership_test
