#include <mailroom/tests/framework/executors/explorer.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>

namespace mailroom::tests::stealing_model_test {
// How the workers of work_stealing.cpp search, sleep and wake each other, in all interleavings.
// What must never be: an item waits for a worker, a worker sleeps, and all others are in turns,
// which may last for ever.

namespace {

using byte = std::uint8_t;

enum class flaw {
  none,
  sleeps_without_looking_again,
  searcher_does_not_pass_on,
  ignores_what_it_saw,
  retreats_without_searching,
  is_counted_twice
};

template <std::size_t Workers, std::size_t Producers>
struct stealing {
  byte items = 0;                         // What can be stolen, wherever it lies.
  byte searching = 0;                     // The executor's counter.
  std::array<byte, Workers> idle{};       // In the list of idle workers, ...
  std::array<byte, Workers> announced{};  // ... each worker's parker, ...
  std::array<byte, Workers> searches{};   // ... and `worker::searching`.
  std::array<byte, Workers> saw_work{};
  std::array<byte, Workers + Producers> at{};
  std::array<byte, Workers + Producers> woken{};  // Whom `wake_one` took out of the list.
};

// Of a worker; producers know `submit`, the steps of `wake_one`, and `in_turn` as their end.
enum step : byte {
  in_turn,
  look,
  begin_search,
  scan,
  end_search,
  pass_on,
  submit,
  wake_no_searcher,
  wake_some_idle,
  wake_choose,
  wake_unpark,
  park_stop_searching,
  park_announce,
  park_register,
  park_look_again,
  park_decide,
  park_asleep,
  park_leave,
};

template <std::size_t Workers, std::size_t Producers>
struct program {
  using state = stealing<Workers, Producers>;

  std::size_t most_searchers;
  flaw broken;

  void steps(const state& s, std::vector<state>& out) const {
    for (std::size_t t = 0; t != Workers + Producers; ++t) {
      state n = s;
      if (t < Workers ? worker(n, t) || waking(n, t) : producer(n, t) || waking(n, t)) {
        out.push_back(n);
      }
    }
  }

  static bool producer(state& s, std::size_t t) {
    if (s.at[t] != submit) {
      return false;
    }
    ++s.items;
    s.at[t] = wake_no_searcher;
    return true;
  }

  // Inside of a turn or of `submit`; ends `in_turn`.
  bool waking(state& s, std::size_t t) const {
    switch (s.at[t]) {
      case wake_no_searcher: s.at[t] = s.searching != 0 ? in_turn : wake_some_idle; return true;
      case wake_some_idle: s.at[t] = idle(s) == Workers ? in_turn : wake_choose; return true;
      case wake_choose: {  // Under the lock.
        const std::size_t w = idle(s);
        if (w == Workers || s.searching >= most_searchers) {
          s.at[t] = in_turn;
          return true;
        }
        s.idle[w] = 0;
        s.searches[w] = 1;
        ++s.searching;
        s.woken[t] = static_cast<byte>(w);
        s.at[t] = wake_unpark;
        return true;
      }
      case wake_unpark:
        s.announced[s.woken[t]] = 0;
        s.woken[t] = 0;
        s.at[t] = in_turn;
        return true;
      default: return false;
    }
  }

  bool worker(state& s, std::size_t t) const {
    switch (s.at[t]) {
      case in_turn: s.at[t] = look; return true;
      case look:
      case scan:
        if (s.items != 0) {
          --s.items;
          s.at[t] = end_search;
        } else {
          s.at[t] = s.at[t] == look ? begin_search : park_stop_searching;
        }
        return true;
      case begin_search:
        if (s.searches[t] == 0 && s.searching < most_searchers) {
          ++s.searching;
          s.searches[t] = 1;
        }
        s.at[t] = s.searches[t] != 0 ? scan : park_stop_searching;
        return true;
      case end_search: {
        const bool was_last = s.searches[t] != 0 && s.searching == 1;
        s.searching = static_cast<byte>(s.searching - s.searches[t]);
        s.searches[t] = 0;
        s.at[t] = was_last && broken != flaw::searcher_does_not_pass_on ? pass_on : in_turn;
        return true;
      }
      case pass_on: s.at[t] = s.items != 0 ? wake_no_searcher : in_turn; return true;
      case park_stop_searching:
        s.searching = static_cast<byte>(s.searching - s.searches[t]);
        s.searches[t] = 0;
        s.at[t] = park_announce;
        return true;
      case park_announce:
        s.announced[t] = 1;
        s.at[t] = park_register;
        return true;
      case park_register:
        s.idle[t] = 1;
        s.at[t] = broken == flaw::sleeps_without_looking_again ? park_asleep : park_look_again;
        return true;
      case park_look_again:
        s.saw_work[t] = s.items != 0 ? 1 : 0;
        s.at[t] = park_decide;
        return true;
      case park_decide:  // Under the lock.
        if (s.saw_work[t] != 0 && s.idle[t] != 0 && s.searching < most_searchers &&
            broken != flaw::ignores_what_it_saw) {
          if (broken != flaw::retreats_without_searching) {
            ++s.searching;
            s.searches[t] = 1;
          }
          s.idle[t] = broken == flaw::is_counted_twice ? 1 : 0;
          s.at[t] = park_leave;
        } else {
          s.at[t] = park_asleep;
        }
        s.saw_work[t] = 0;
        return true;
      case park_asleep:
        if (s.announced[t] != 0) {
          return false;
        }
        s.at[t] = park_leave;
        return true;
      case park_leave:
        s.announced[t] = 0;
        s.idle[t] = 0;
        s.at[t] = look;
        return true;
      default: return false;
    }
  }

  static std::size_t idle(const state& s) {
    return static_cast<std::size_t>(std::find(s.idle.begin(), s.idle.end(), byte{1}) -
                                    s.idle.begin());
  }

  static bool neglects(const state& s) {
    bool sleeper = false;
    for (std::size_t t = 0; t != Workers + Producers; ++t) {
      const bool asleep = t < Workers && s.at[t] == park_asleep && s.announced[t] != 0;
      sleeper = sleeper || asleep;
      if (!asleep && s.at[t] != in_turn) {
        return false;
      }
    }
    return sleeper && s.items != 0;
  }

  bool can_neglect_an_item() const {
    explorer<state> all([this](const state& s, std::vector<state>& out) { steps(s, out); });
    state start;
    std::fill_n(start.at.begin(), Workers, byte{look});
    std::fill_n(start.at.begin() + Workers, Producers, byte{submit});
    const bool can = all.finds(start, &neglects);
    BOOST_TEST_MESSAGE("states: " << all.states());
    return can;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stealing_model)

BOOST_AUTO_TEST_CASE(no_item_waits_beside_a_sleeping_worker) {
  BOOST_TEST((!program<2, 3>{1, flaw::none}.can_neglect_an_item()));
  BOOST_TEST((!program<3, 2>{2, flaw::none}.can_neglect_an_item()));
}

BOOST_AUTO_TEST_CASE(finds_the_item_neglected_by_not_looking_again) {
  BOOST_TEST((program<2, 2>{1, flaw::sleeps_without_looking_again}.can_neglect_an_item()));
}

BOOST_AUTO_TEST_CASE(finds_the_item_neglected_by_a_searcher_that_found_another) {
  BOOST_TEST((program<2, 2>{1, flaw::searcher_does_not_pass_on}.can_neglect_an_item()));
}

BOOST_AUTO_TEST_CASE(finds_the_item_neglected_by_ignoring_what_was_seen) {
  BOOST_TEST((program<2, 2>{1, flaw::ignores_what_it_saw}.can_neglect_an_item()));
}

BOOST_AUTO_TEST_CASE(finds_the_item_neglected_by_taking_one_of_two_without_searching) {
  BOOST_TEST((program<2, 2>{1, flaw::retreats_without_searching}.can_neglect_an_item()));
}

BOOST_AUTO_TEST_CASE(finds_the_item_neglected_for_a_searcher_counted_twice) {
  BOOST_TEST((program<3, 2>{2, flaw::is_counted_twice}.can_neglect_an_item()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::stealing_model_test
