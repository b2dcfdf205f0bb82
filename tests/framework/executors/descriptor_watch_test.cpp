#include <mailroom/tests/framework/executors/pipes.hpp>
#include <mailroom/tests/framework/executors/until.hpp>

#include <mailroom/framework/executors/event_loop.hpp>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

namespace mailroom::tests::descriptor_watch_test {
// Descriptors that a loop watches for others.

using namespace executors;

namespace {

struct running_loop : event_loop {
  running_loop() : event_loop("mr-loop-7", platform::system()) { start(); }
};

class watcher final : public descriptor_watch {
 public:
  explicit watcher(executors::event_loop& by) : by_(by) {}
  ~watcher() override { end(); }

  std::error_code begin(const owned_descriptor& what, readiness why = readiness::readable) {
    return begin(what.get(), why);
  }
  std::error_code begin(int descriptor, readiness why = readiness::readable) {
    return by_.watch(*this, descriptor, why);
  }
  void end() { by_.unwatch(*this); }
  void on_descriptor(std::error_code why) noexcept override {
    failure = why;
    on_loop = by_.on_loop_thread();
    told.add();
  }

  tally told;
  std::error_code failure;
  bool on_loop = false;

 private:
  executors::event_loop& by_;
};

/// What was ready before has been told then.
void looks_again(executors::event_loop& loop) {
  connected_ends ends;
  watcher last(loop);
  BOOST_REQUIRE(!last.begin(ends.near, readiness::writable));
  BOOST_REQUIRE(last.told.reaches(1));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(descriptor_watch)

BOOST_AUTO_TEST_CASE(tells_once_for_each_watch) {
  running_loop loop;
  connected_ends ends;
  watcher one(loop);
  BOOST_TEST(!one.begin(ends.near));
  looks_again(loop);
  BOOST_TEST(one.told.value() == 0);
  write_to(ends.far, "ab");
  BOOST_TEST(one.told.reaches(1));
  BOOST_TEST(one.on_loop);
  BOOST_TEST(!one.failure);
  BOOST_TEST(loop.stats().watched == 0U);
  looks_again(loop);
  BOOST_TEST(one.told.value() == 1);
  BOOST_TEST(!one.begin(ends.near));  // It is readable still.
  BOOST_TEST(one.told.reaches(2));
}

BOOST_AUTO_TEST_CASE(tells_each_of_those_who_watch_one_descriptor) {
  running_loop loop;
  connected_ends ends;
  std::deque<watcher> readers;
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(!readers.emplace_back(loop).begin(ends.near));
  }
  fill(ends.near.get());
  watcher writer(loop);
  watcher either(loop);
  BOOST_TEST(!writer.begin(ends.near, readiness::writable));
  BOOST_TEST(!either.begin(ends.near, readiness::either));
  BOOST_TEST(loop.stats().watched == 1U);
  readers[1].end();
  drain(ends.far.get());
  BOOST_TEST(writer.told.reaches(1));
  BOOST_TEST(either.told.reaches(1));
  BOOST_TEST(readers[0].told.value() == 0);
  write_to(ends.far, "a");
  BOOST_TEST(readers[0].told.reaches(1));
  BOOST_TEST(readers[2].told.reaches(1));
  looks_again(loop);
  BOOST_TEST(readers[1].told.value() == 0);
}

BOOST_AUTO_TEST_CASE(tells_all_when_the_other_side_goes) {
  running_loop loop;
  connected_ends ends;
  fill(ends.near.get());
  watcher reader(loop);
  watcher writer(loop);
  BOOST_TEST(!reader.begin(ends.near));
  BOOST_TEST(!writer.begin(ends.near, readiness::writable));
  ends.far.close();
  BOOST_TEST(reader.told.reaches(1));
  BOOST_TEST(writer.told.reaches(1));
}

BOOST_AUTO_TEST_CASE(is_not_told_after_its_end) {
  running_loop loop;
  connected_ends ends;
  watcher one(loop);
  BOOST_TEST(!one.begin(ends.near));
  one.end();
  one.end();
  write_to(ends.far, "a");
  looks_again(loop);
  BOOST_TEST(one.told.value() == 0);
}

BOOST_AUTO_TEST_CASE(a_number_may_come_again) {
  running_loop loop;
  watcher one(loop);
  for (int i = 0; i < 3; ++i) {
    connected_ends ends;  // The same numbers, each time.
    BOOST_TEST(!one.begin(ends.near));
    if (i == 1) {
      one.end();
      continue;
    }
    const int before = one.told.value();
    write_to(ends.far, "a");
    BOOST_TEST(one.told.reaches(before + 1));
  }
}

BOOST_AUTO_TEST_CASE(tells_those_whose_descriptor_was_closed_when_its_number_comes_again) {
  running_loop loop;
  connected_ends first;
  watcher stranded(loop);
  BOOST_TEST(!stranded.begin(first.near));
  connected_ends second;
  ::dup2(second.near.get(), first.near.get());
  watcher one(loop);
  BOOST_TEST(!one.begin(first.near));
  BOOST_TEST(stranded.told.reaches(1));
  BOOST_TEST((stranded.failure == std::errc::bad_file_descriptor));
  write_to(second.far, "a");
  BOOST_TEST(one.told.reaches(1));
  BOOST_TEST(!one.failure);
}

BOOST_AUTO_TEST_CASE(says_what_it_cannot_watch) {
  running_loop loop;
  watcher one(loop);
  BOOST_TEST((one.begin(-1) == std::errc::bad_file_descriptor));
  const owned_descriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  BOOST_TEST((one.begin(file) == std::errc::operation_not_permitted));
  connected_ends ends;
  const int closed = ends.near.get();
  ends.near.close();
  BOOST_TEST((one.begin(closed) == std::errc::bad_file_descriptor));
  BOOST_TEST(!one.begin(ends.far));  // It is usable still.
  BOOST_TEST(one.told.reaches(1));
}

BOOST_AUTO_TEST_CASE(leaves_the_descriptor_as_it_was) {
  running_loop loop;
  int both[2];  // NOLINT
  BOOST_REQUIRE(::pipe(both) == 0);
  const owned_descriptor reads(both[0]);
  const owned_descriptor writes(both[1]);
  const int flags = ::fcntl(reads.get(), F_GETFL);
  {
    watcher one(loop);
    BOOST_TEST(!one.begin(reads));
    write_to(writes, "a");
    BOOST_TEST(one.told.reaches(1));
  }
  BOOST_TEST(::fcntl(reads.get(), F_GETFL) == flags);
  BOOST_TEST((flags & O_NONBLOCK) == 0);
  BOOST_TEST(read_from(reads.get()) == 'a');
}

BOOST_AUTO_TEST_CASE(tells_more_than_it_takes_at_a_time) {
  running_loop loop;
  std::vector<connected_ends> ends(200);
  std::deque<watcher> all;
  for (auto& each : ends) {
    BOOST_TEST(!all.emplace_back(loop).begin(each.near));
  }
  for (auto& each : ends) {
    write_to(each.far, "a");
  }
  for (auto& each : all) {
    BOOST_TEST(each.told.reaches(1));
  }
}

BOOST_AUTO_TEST_CASE(begins_and_ends_on_any_thread_while_it_tells) {
  running_loop loop;
  connected_ends shared;
  std::atomic<int> wrong{0};  // Boost.Test is for one thread.
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        connected_ends own;
        watcher told(loop);
        watcher ended(loop);
        watcher both(loop);
        wrong += told.begin(own.near) || ended.begin(own.near) ? 1 : 0;
        wrong += both.begin(shared.near, readiness::either) ? 1 : 0;
        write_to(own.far, "a");
        ended.end();
        const int after_end = ended.told.value();
        wrong += told.told.reaches(1) && both.told.reaches(1) ? 0 : 1;
        wrong += ended.told.value() == after_end ? 0 : 1;
      }
    });
  }
  for (auto& each : threads) {
    each.join();
  }
  BOOST_TEST(wrong == 0);
  BOOST_TEST(loop.stats().watched == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::descriptor_watch_test
