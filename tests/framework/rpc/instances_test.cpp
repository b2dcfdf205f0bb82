#include <mailroom/tests/framework/rpc/support/fake_link.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Several actors behind one target.

namespace mailroom::tests::instances_test {
namespace {

/// What the clerks of a test share with it.
struct office {
  tally hired;
  tally busy;
  tally noted;  // A byte for each clerk.
  std::deque<std::atomic<bool>> free = std::deque<std::atomic<bool>>(32);
  std::atomic<int> met{0};
};

class clerk {
 public:
  clerk(std::shared_ptr<office> of, std::string greeting)
      : office_(std::move(of)), greeting_(std::move(greeting)) {
    number_ = office_->hired.value();
    office_->hired.add();
  }

  int who(context&) { return number_; }
  std::string greet(context&) { return greeting_ + std::to_string(number_) + "," + count(); }
  std::string greet_name(context&, std::string name) { return greeting_ + name; }

  /// Until this clerk is free.
  task<int> hold(context& ctx) {
    office_->busy.add();
    while (!office_->free[static_cast<std::size_t>(number_)]) {
      co_await ctx.sleep(2ms);
    }
    co_return number_;
  }

  /// Does not give its thread back before two are here.
  bool meet(context&) {
    ++office_->met;
    return eventually([&] { return office_->met >= 2; });
  }

  /// This clerk's number, and how many were filed under the key here before.
  std::pair<int, int> file_text(context&, std::string key) { return {number_, filed_[key]++}; }
  std::pair<int, int> file_for(context& ctx, const std::string&, std::string key) {
    return file_text(ctx, std::move(key));
  }
  std::pair<int, int> file_pair(context&, std::pair<int, std::string> key) {
    return {number_, filed_[key.second + std::to_string(key.first)]++};
  }

  void note(context&) { office_->noted.add(1 << (8 * number_)); }

  /// Asks for the number of whoever gets the call.
  task<std::pair<int, int>> ask_a_clerk(context& ctx) {
    const auto to = ctx.client({.topic = "clerks"});
    co_return std::pair{number_, (co_await to.async_call<int>("who")).value()};
  }
  /// What comes of a question about the second key, asked while the first has this clerk.
  task<std::string> ask_about(context& ctx, const std::string&, std::string key) {
    const auto to = ctx.client({.topic = "clerks"});
    const auto got = co_await to.async_call<std::string>("greet_name", key);
    co_return got ? *got : got.error().to_string();
  }
  std::pair<int, int> ask_on_fiber(context& ctx) {
    return {number_, ctx.client({.topic = "clerks"}).call<int>("who").value()};
  }

  static endpoint_builder<clerk> described(std::shared_ptr<office> of) {
    return endpoint<clerk>(std::move(of), std::string("clerk "))
        .method("who", &clerk::who)
        .method("greet", &clerk::greet)
        .method("greet_name", &clerk::greet_name)
        .method("hold", &clerk::hold)
        .method("meet", &clerk::meet)
        .method("file_text", &clerk::file_text)
        .method("file_for", &clerk::file_for)
        .key_argument(1)
        .method("file_pair", &clerk::file_pair)
        .method("note", &clerk::note)
        .method("ask_a_clerk", &clerk::ask_a_clerk)
        .method("ask_about", &clerk::ask_about)
        .method("ask_on_fiber", &clerk::ask_on_fiber, suspending);
  }

 private:
  std::string count() { return std::to_string(++greeted_); }

  std::shared_ptr<office> office_;
  std::string greeting_;
  int number_ = 0;
  int greeted_ = 0;
  std::map<std::string, int> filed_;
};

using activations = std::vector<rpc::activation*>;

struct scene {
  scene(std::string_view policy, std::shared_ptr<office> of, endpoint_builder<clerk>&& what)
      : with(std::move(of)),
        nodes(policy),
        all(nodes.back.serve_all({.topic = "clerks"}, std::move(what))) {
    nodes.connect();
  }

  mailroom::client client() { return nodes.client({.topic = "clerks"}); }
  /// Nearly: who picks one looks at counts that change meanwhile.
  void is_shared_evenly(std::size_t each) const {
    for (const auto* at : all) {
      BOOST_TEST(at->running() >= each - 2);
      BOOST_TEST(at->running() <= each + 2);
    }
  }
  /// An answer may be here before the turn that gave it has ended.
  bool idle() const {
    return eventually([&] {
      return std::all_of(
          all.begin(), all.end(), [](const auto* each) { return each->running() == 0; });
    });
  }

  std::shared_ptr<office> with;
  pair nodes;
  activations all;
};

void on_every_executor(std::size_t count, bool sharded, const std::function<void(scene&)>& test) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto of = std::make_shared<office>();
      auto what = clerk::described(of).instances(count);
      if (sharded) {
        std::move(what).sharded();
      }
      scene s(policy, of, std::move(what));
      test(s);
    }
  }
}

template <class Key>
std::size_t number_for(const Key& key, std::size_t instances) {
  wire::buffer packed;
  wire::pack(packed, key);
  return rpc::instance_group::number_for(packed.bytes(), instances);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_instances)

BOOST_AUTO_TEST_CASE(have_an_object_each_made_from_copies_of_the_arguments) {
  on_every_executor(3, false, [](scene& s) {
    BOOST_TEST(s.with->hired.value() == 3);
    std::multiset<std::string> greetings;
    for (int i = 0; i < 6; ++i) {
      BOOST_TEST_REQUIRE(s.idle());
      greetings.insert(s.client().call<std::string>("greet").value());
    }
    const std::multiset<std::string> expected{
        "clerk 0,1", "clerk 0,2", "clerk 1,1", "clerk 1,2", "clerk 2,1", "clerk 2,2"};
    BOOST_TEST(greetings == expected, boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(of_which_there_is_one_are_no_group) {
  const auto of = std::make_shared<office>();
  site back("back");
  back.serve({.topic = "clerks"}, clerk::described(of).instances(1).sharded());
  const auto found = back.dispatcher().find({0, "mailroom", "clerks", "", "", "who"});
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->among == nullptr);
}

BOOST_AUTO_TEST_CASE(are_from_one_to_a_thousand) {
  const auto of = std::make_shared<office>();
  BOOST_CHECK_THROW(clerk::described(of).instances(0), std::invalid_argument);
  BOOST_CHECK_THROW(clerk::described(of).instances(1025), std::invalid_argument);
  BOOST_TEST(of->hired.value() == 0);
}

BOOST_AUTO_TEST_CASE(are_as_many_as_the_deployment_says_if_the_code_bears_it) {
  const auto of = std::make_shared<office>();
  const auto count_of = [&](endpoint_builder<clerk>&& what) -> std::size_t {
    if (const auto good = what.deploy({.instances = 3}); !good) {
      BOOST_TEST((good.error() == errc::invalid_value));
      BOOST_TEST(good.error().message().find("instances(…)") != std::string_view::npos);
      return 0;
    }
    const auto built = std::move(what).build("clerks");
    return built->others ? built->others->all.size() + 1 : 1;
  };
  BOOST_TEST(count_of(clerk::described(of)) == 0U);
  BOOST_TEST(count_of(clerk::described(of).instances(1)) == 3U);
  BOOST_TEST(count_of(clerk::described(of).instances(8)) == 3U);
  BOOST_TEST(count_of(clerk::described(of).sharded()) == 3U);
  auto alone = clerk::described(of);
  BOOST_TEST(alone.deploy({.instances = 1}).has_value());
  BOOST_TEST(std::move(alone).build("clerks")->others.get() == nullptr);
}

BOOST_AUTO_TEST_CASE(take_turns_when_they_are_equally_busy) {
  on_every_executor(4, false, [](scene& s) {
    constexpr int each = 25;
    std::vector<std::future<result<int>>> out;
    for (int i = 0; i < 4 * each; ++i) {
      out.push_back(s.client().future_call<int>("hold"));
    }
    // However the calls lay in frames: those on their way count too.
    BOOST_TEST_REQUIRE(s.with->busy.reaches(4 * each));
    s.is_shared_evenly(each);
  });
}

BOOST_AUTO_TEST_CASE(that_have_less_to_do_get_the_next_call) {
  on_every_executor(2, false, [](scene& s) {
    std::vector<std::future<result<int>>> out;
    for (int i = 0; i < 10; ++i) {
      out.push_back(s.client().future_call<int>("hold"));
    }
    BOOST_TEST_REQUIRE(s.with->busy.reaches(10));
    s.with->free[1] = true;
    BOOST_TEST_REQUIRE(eventually([&] { return s.all[1]->running() == 0; }));
    for (int i = 0; i < 100; ++i) {
      BOOST_TEST_REQUIRE(s.client().call<int>("who").value() == 1);
    }
  });
}

BOOST_AUTO_TEST_CASE(that_are_many_share_as_evenly) {
  on_every_executor(20, false, [](scene& s) {
    std::vector<std::future<result<int>>> out;
    for (int i = 0; i < 200; ++i) {
      out.push_back(s.client().future_call<int>("hold"));
    }
    BOOST_TEST_REQUIRE(s.with->busy.reaches(200));
    s.is_shared_evenly(10);
  });
}

BOOST_AUTO_TEST_CASE(each_get_what_is_told_to_all) {
  for (const bool sharded : {false, true}) {
    on_every_executor(3, sharded, [](scene& s) {
      BOOST_TEST(s.client().fanout().cast("note").has_value());
      BOOST_TEST(s.with->noted.reaches(0x010101));
      BOOST_TEST(s.idle());
      BOOST_TEST(s.client().cast("note").has_value());
      BOOST_TEST(s.with->noted.reaches(0x010102));
      BOOST_TEST(s.idle());
      const int noted = s.with->noted.value();
      BOOST_TEST((noted == 0x010102 || noted == 0x010201 || noted == 0x020101), noted);
      BOOST_TEST(s.nodes.back.server().counts().casts.load() == 4U);
    });
  }
}

// It would only be told that it waits for itself; another instance may serve it.
BOOST_AUTO_TEST_CASE(exclusive_ask_another_than_themselves) {
  for (const auto policy : executors::policies()) {
    for (const auto* method : {"ask_a_clerk", "ask_on_fiber"}) {
      BOOST_TEST_CONTEXT(policy << ", " << method) {
        const auto of = std::make_shared<office>();
        scene s(policy, of, clerk::described(of).instances(2).exclusive());
        for (int i = 0; i < 20; ++i) {
          const auto [first, second] = s.client().call<std::pair<int, int>>(method).value();
          BOOST_TEST(first != second);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(that_let_their_own_chain_in_are_asked_by_themselves) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto of = std::make_shared<office>();
      scene s(policy, of, clerk::described(of).instances(3).exclusive_to_others());
      std::vector<std::future<result<std::pair<int, int>>>> out;
      for (int i = 0; i < 60; ++i) {
        out.push_back(s.client().future_call<std::pair<int, int>>("ask_a_clerk"));
      }
      for (auto& each : out) {
        const auto [first, second] = each.get().value();
        BOOST_TEST(first == second);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(exclusive_and_sharded_say_when_a_key_waits_for_itself) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      const auto of = std::make_shared<office>();
      scene s(policy, of, clerk::described(of).instances(2).sharded().exclusive());
      const auto to = s.client();
      std::set<std::string> told;
      for (int key = 0; key < 20; ++key) {
        const auto text = std::to_string(key);
        told.insert(to.call<std::string>("ask_about", text, text).value());
      }
      BOOST_TEST(
          told == (std::set<std::string>{
                      "deadlock: it would wait for itself: clerks.ask_about → clerks.greet_name"}),
          boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(that_burn_do_so_on_two_threads_at_once_when_work_stealing) {
  const auto of = std::make_shared<office>();
  scene s("work-stealing", of, clerk::described(of).instances(2));
  auto left = s.client().future_call<bool>("meet");
  auto right = s.client().future_call<bool>("meet");
  // Neither gives its thread back before the other has one.
  BOOST_TEST(left.get().value());
  BOOST_TEST(right.get().value());
}

BOOST_AUTO_TEST_CASE(sharded_get_all_calls_with_their_keys_in_order) {
  on_every_executor(4, true, [](scene& s) {
    constexpr int keys = 40;
    constexpr int rounds = 25;
    std::vector<std::pair<std::string, std::future<result<std::pair<int, int>>>>> out;
    const auto to = s.client();
    for (int round = 0; round < rounds; ++round) {
      for (int key = 0; key < keys; ++key) {
        const auto text = "key " + std::to_string(key);
        out.emplace_back(text, to.future_call<std::pair<int, int>>("file_text", text));
        const std::pair<int, std::string> both{key, "pair"};
        out.emplace_back("pair " + std::to_string(key),
                         to.future_call<std::pair<int, int>>("file_pair", both));
      }
    }
    std::map<std::string, std::vector<std::pair<int, int>>> of_key;
    std::set<int> clerks;
    for (auto& [key, answer] : out) {
      of_key[key].push_back(answer.get().value());
      clerks.insert(of_key[key].back().first);
    }
    for (const auto& [key, answers] : of_key) {
      for (int i = 0; i < rounds; ++i) {
        BOOST_TEST_REQUIRE(answers[static_cast<std::size_t>(i)].first == answers.front().first);
        BOOST_TEST_REQUIRE(answers[static_cast<std::size_t>(i)].second == i);
      }
    }
    BOOST_TEST(clerks.size() == 4U);
  });
}

BOOST_AUTO_TEST_CASE(sharded_find_the_key_by_the_same_number_in_every_process) {
  // Worked out by another program.
  const std::vector<std::size_t> of_seven{6, 1, 0, 2, 0, 5, 3, 3};
  const std::vector<std::size_t> of_thousand{968, 217, 52, 405, 98, 824, 511, 429};
  for (const auto& [instances, expected] :
       {std::pair{std::size_t{7}, of_seven}, std::pair{std::size_t{1000}, of_thousand}}) {
    const std::vector<std::size_t> numbers{number_for(std::string("bolt"), instances),
                                           number_for(std::string("nut"), instances),
                                           number_for(std::string(""), instances),
                                           number_for(1, instances),
                                           number_for(-2, instances),
                                           number_for(70'000, instances),
                                           number_for(std::string(5000, 'x'), instances),
                                           number_for(std::pair{1, 2}, instances)};
    BOOST_TEST(numbers == expected, boost::test_tools::per_element());
  }
}

// A peer may write a number or a text longer than it must.
BOOST_AUTO_TEST_CASE(sharded_take_keys_for_equal_however_they_are_written) {
  const auto number_of = [](std::initializer_list<unsigned> value) {
    std::vector<std::byte> written;
    for (const unsigned each : value) {
      written.push_back(static_cast<std::byte>(each));
    }
    return rpc::instance_group::number_for(written, 1'000'000);
  };
  const std::vector<std::size_t> fives{number_of({0x05}),
                                       number_of({0xcc, 5}),
                                       number_of({0xcd, 0, 5}),
                                       number_of({0xce, 0, 0, 0, 5}),
                                       number_of({0xcf, 0, 0, 0, 0, 0, 0, 0, 5}),
                                       number_of({0xd0, 5}),
                                       number_of({0xd3, 0, 0, 0, 0, 0, 0, 0, 5})};
  const std::vector<std::size_t> minus_ones{
      number_of({0xff}), number_of({0xd0, 0xff}), number_of({0xd1, 0xff, 0xff})};
  const std::vector<std::size_t> texts{number_of({0xa1, 'x'}),
                                       number_of({0xd9, 1, 'x'}),
                                       number_of({0xda, 0, 1, 'x'}),
                                       number_of({0xdb, 0, 0, 0, 1, 'x'}),
                                       number_of({0xc4, 1, 'x'})};
  for (const auto& equal : {fives, minus_ones, texts}) {
    BOOST_TEST(equal == std::vector<std::size_t>(equal.size(), equal.front()),
               boost::test_tools::per_element());
  }
  const std::set<std::size_t> different{fives.front(),
                                        minus_ones.front(),
                                        texts.front(),
                                        number_of({0xc0}),
                                        number_of({0xc2}),
                                        number_of({0xc3}),
                                        number_of({0xa1, '5'})};
  BOOST_TEST(different.size() == 7U);
}

BOOST_AUTO_TEST_CASE(sharded_find_the_key_where_the_method_says) {
  on_every_executor(4, true, [](scene& s) {
    std::set<int> clerks;
    for (int key = 0; key < 20; ++key) {
      const auto text = "key " + std::to_string(key);
      const auto by_first = s.client().call<std::pair<int, int>>("file_text", text).value();
      const auto by_second =
          s.client().call<std::pair<int, int>>("file_for", "whoever " + text, text).value();
      BOOST_TEST(by_first.first == by_second.first);
      BOOST_TEST(by_second.second == 1);
      clerks.insert(by_first.first);
    }
    BOOST_TEST(clerks.size() == 4U);
  });
}

BOOST_AUTO_TEST_CASE(have_keys_only_where_there_are_arguments) {
  const auto of = std::make_shared<office>();
  BOOST_CHECK_THROW(endpoint<clerk>(of, std::string()).key_argument(0), std::invalid_argument);
  BOOST_CHECK_THROW(endpoint<clerk>(of, std::string()).method("who", &clerk::who).key_argument(0),
                    std::invalid_argument);
  BOOST_CHECK_THROW(
      endpoint<clerk>(of, std::string()).method("file_for", &clerk::file_for).key_argument(2),
      std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(sharded_share_similar_keys_evenly) {
  for (const std::size_t instances : {2U, 3U, 8U}) {
    BOOST_TEST_CONTEXT(instances << " instances") {
      std::vector<std::size_t> even(instances);
      std::vector<std::size_t> named(instances);
      constexpr std::size_t count = 4000;
      for (std::size_t i = 0; i < count; ++i) {
        ++even[number_for(2 * i, instances)];
        ++named[number_for("item " + std::to_string(i), instances)];
      }
      for (const auto& counts : {even, named}) {
        for (const auto keys : counts) {
          BOOST_TEST(keys > count / instances * 8 / 10);
          BOOST_TEST(keys < count / instances * 12 / 10);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sharded_share_calls_without_arguments_as_if_they_were_not) {
  on_every_executor(3, true, [](scene& s) {
    std::set<int> seen;
    for (int i = 0; i < 3; ++i) {
      BOOST_TEST_REQUIRE(s.idle());
      seen.insert(s.client().call<int>("who").value());
    }
    BOOST_TEST(seen.size() == 3U);
  });
}

BOOST_AUTO_TEST_CASE(sharded_say_what_is_wrong_with_arguments_that_nobody_can_read) {
  const auto of = std::make_shared<office>();
  site back("back");
  back.serve({.topic = "clerks"}, clerk::described(of).instances(3).sharded());
  fake_peer peer(back);
  peer.attach();
  peer.declare(0, "clerks", "greet_name");
  const std::vector<std::vector<std::byte>> bodies{
      {}, {std::byte{0xc1}}, {std::byte{0x91}}, {std::byte{0x91}, std::byte{0xa9}, std::byte{'x'}}};
  wire::batch batch(wire::plane::data);
  std::uint64_t id = 0;
  for (const auto& body : bodies) {
    wire::call_head head;
    head.id = ++id;
    head.write(batch.begin(wire::kind::call, wire::call_head::size));
    batch.bytes().append(std::span(body));
    batch.finish();
  }
  peer.feed(batch.take());
  BOOST_TEST(eventually([&] { return peer.failures().size() == 4; }));
  for (const auto& each : peer.failures()) {
    BOOST_TEST((each.why == errc::invalid_arguments));
  }
}

BOOST_AUTO_TEST_CASE(are_found_by_namespace_version_and_method_like_single_ones) {
  const auto old = std::make_shared<office>();
  const auto present = std::make_shared<office>();
  const auto admin = std::make_shared<office>();
  pair nodes("work-stealing");
  nodes.back.serve({.topic = "clerks", .version = "1.3"}, clerk::described(old).instances(2));
  nodes.back.serve({.topic = "clerks", .version = "2.0"}, clerk::described(present).instances(3));
  nodes.back.serve({.topic = "clerks", .name_space = "admin"}, clerk::described(admin));
  nodes.connect();
  const auto highest = [](const client& by) {
    int number = 0;
    for (int i = 0; i < 50; ++i) {
      number = std::max(number, by.call<int>("who").value());
    }
    return number;
  };
  const auto to = nodes.client({.topic = "clerks", .version = "1.2"});
  BOOST_TEST(highest(to) == 1);
  BOOST_TEST(highest(to.prepare({.version = "2.0"})) == 2);
  BOOST_TEST(highest(to.prepare({.name_space = "admin", .version = "1.0"})) == 0);
  BOOST_TEST(
      (to.prepare({.version = "1.4"}).call<int>("who").error() == errc::unsupported_version));
  BOOST_TEST((to.call<int>("hwo").error() == errc::no_such_method));
}

BOOST_AUTO_TEST_CASE(are_exclusive_and_full_each_by_itself) {
  const auto of = std::make_shared<office>();
  scene s("work-stealing", of, clerk::described(of).instances(2).exclusive().queue_limit(3));
  std::vector<std::future<result<int>>> out;
  for (int i = 0; i < 2; ++i) {
    out.push_back(s.client().future_call<int>("hold"));
  }
  BOOST_TEST_REQUIRE(s.with->busy.reaches(2));
  std::vector<std::future<result<int>>> more;
  for (int i = 0; i < 30; ++i) {
    more.push_back(s.client().future_call<int>("who"));
  }
  BOOST_TEST_REQUIRE(eventually(
      [&] { return s.all[0]->counts().refused.load() + s.all[1]->counts().refused.load() == 24; }));
  for (const auto* each : s.all) {
    BOOST_TEST(each->running() == 1U);
    BOOST_TEST(eventually([&] { return each->queued() == 3; }));
  }
  for (auto& each : s.with->free) {
    each = true;
  }
  for (auto& each : out) {
    BOOST_TEST(each.get().has_value());
  }
  for (auto& each : more) {
    const auto got = each.get();
    BOOST_TEST((got || got.error() == errc::busy));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::instances_test
