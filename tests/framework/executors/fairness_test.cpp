#include <mailroom/tests/framework/executors/fixture.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

namespace mailroom::tests::fairness_test {
using namespace executors;

namespace {

// Items that keep one thread busy: ten that always want more, and two that wake each other.
class crowd {
 public:
  using turns = std::array<int, 12>;

  explicit crowd(executor& on) {
    for (std::size_t i = 0; i != all_.size(); ++i) {
      all_[i].turn = [this, i](executor& where) { return turn_of(i, where); };
    }
    std::for_each(all_.begin(), all_.end() - 1, [&](job& each) { on.submit(&each); });
  }

  void go_home() { enough_ = true; }

  turns so_far() const {
    turns now{};
    std::copy(turns_.begin(), turns_.end(), now.begin());
    return now;
  }

 private:
  verdict turn_of(std::size_t i, executor& where) {
    const auto until = clock::now() + 50us;
    while (clock::now() < until) {
    }
    ++turns_[i];
    if (i < 10) {
      return enough_ ? verdict::done : verdict::again;
    }
    if (!enough_) {
      where.submit(&all_[i == 10 ? 11 : 10]);
    }
    return verdict::done;
  }

  std::array<job, 12> all_;
  std::array<std::atomic<int>, 12> turns_{};
  std::atomic<bool> enough_{false};
};

// The most turns that anybody had in between.
int most(const crowd::turns& before, const crowd::turns& after) {
  int of_all = 0;
  for (std::size_t i = 0; i != after.size(); ++i) {
    of_all = std::max(of_all, after[i] - before[i]);
  }
  return of_all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fairness)

BOOST_AUTO_TEST_CASE(busy_items_do_not_starve_another) {
  for (const auto policy : policies()) {
    station at(policy, 1);
    crowd busy(*at.under_test);
    BOOST_REQUIRE(eventually([&] {
      const auto turns = busy.so_far();
      return std::find(turns.begin(), turns.end(), 0) == turns.end();
    }));
    std::vector<int> waited;
    for (int round = 0; round != 200; ++round) {
      crowd::turns after{};
      tally ended;
      job another{[&](executor&) {
        after = busy.so_far();
        ended.add();
        return verdict::done;
      }};
      at->submit(&another);
      const auto before = busy.so_far();  // Late if we are interrupted: too little is no failure.
      BOOST_REQUIRE(ended.reaches(1));
      at.run_once([] {});  // Behind it on the same thread: now nobody knows it any more.
      waited.push_back(most(before, after));
    }
    busy.go_home();
    BOOST_TEST(at->stop(deadline::none()).empty());
    std::sort(waited.begin(), waited.end());
    BOOST_TEST(waited[waited.size() * 99 / 100] <= 5, policy << ": " << waited.back());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::fairness_test
