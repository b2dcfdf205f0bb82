#include <mailroom/tests/framework/executors/pipes.hpp>
#include <mailroom/tests/framework/executors/until.hpp>
#include <mailroom/tests/framework/rpc/support/site.hpp>

#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/wait_for.hpp>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

// Handlers that wait for descriptors, in all styles on every executor.

namespace mailroom::tests::io_test {
namespace {

struct desk {
  tally waiting;  ///< Handlers that are about to wait.
  tally unwound;
  std::stop_source enough;
};

class reader {
 public:
  explicit reader(std::shared_ptr<desk> at) : at_(std::move(at)) {}

  task<std::string> read(context& ctx, int descriptor) {
    const leaving seen{*at_};
    at_->waiting.add();
    co_await ctx.io().readable(descriptor);
    co_return std::string(1, read_from(descriptor));
  }
  std::string read_waiting(context& ctx, int descriptor) {
    const leaving seen{*at_};
    at_->waiting.add();
    mailroom::wait(ctx.io().readable(descriptor));
    return std::string(1, read_from(descriptor));
  }

  // "full" until it can write.
  task<std::string> write(context& ctx, int descriptor) {
    at_->waiting.add();
    co_await ctx.io().writable(descriptor);
    co_return ::write(descriptor, "w", 1) == 1 ? "written" : "full";
  }
  std::string write_waiting(context& ctx, int descriptor) {
    at_->waiting.add();
    mailroom::wait(ctx.io().writable(descriptor));
    return ::write(descriptor, "w", 1) == 1 ? "written" : "full";
  }

  // Closes what it gave up waiting for, and waits for another of the same number.
  task<std::string> give_up(context& ctx) {
    connected_ends first;
    connected_ends second;
    const int number = first.near.get();
    const auto came = co_await wait_for(ctx.io().readable(number), 2ms);
    ::dup2(second.near.get(), number);
    write_to(second.far, "2");
    co_await ctx.io().readable(number);
    co_return std::string(to_string(came ? errc::ok : came.error().code())) + read_from(number);
  }
  std::string give_up_waiting(context& ctx) {
    connected_ends first;
    connected_ends second;
    const int number = first.near.get();
    const auto came = mailroom::wait(ctx.io().readable(number), 2ms);
    ::dup2(second.near.get(), number);
    write_to(second.far, "2");
    mailroom::wait(ctx.io().readable(number));
    return std::string(to_string(came ? errc::ok : came.error().code())) + read_from(number);
  }

  task<std::string> until_told(context& ctx, int descriptor) {
    at_->waiting.add();
    const auto came = co_await wait_for(ctx.io().readable(descriptor), at_->enough.get_token());
    co_return std::string(to_string(came ? errc::ok : came.error().code()));
  }
  std::string until_told_waiting(context& ctx, int descriptor) {
    at_->waiting.add();
    const auto came = mailroom::wait(ctx.io().readable(descriptor), at_->enough.get_token());
    return std::string(to_string(came ? errc::ok : came.error().code()));
  }

  // Reads from all at once; the sum of their digits.
  task<int> read_all(context& ctx, std::vector<int> descriptors) {
    std::vector<task<int>> all;
    all.reserve(descriptors.size());
    for (const int each : descriptors) {
      all.push_back(read_digit(ctx, each));
    }
    at_->waiting.add();
    int sum = 0;
    for (const int each : co_await gather(std::move(all))) {
      sum += each;
    }
    co_return sum;
  }
  int read_all_waiting(context& ctx, std::vector<int> descriptors) {
    return mailroom::wait(read_all(ctx, std::move(descriptors)));
  }

  void read_in_plain(context& ctx, int descriptor) {
    mailroom::wait(ctx.io().readable(descriptor));
  }
  int add(context&, int a, int b) { return a + b; }

  static endpoint_builder<reader> described(std::shared_ptr<desk> at) {
    return endpoint<reader>(std::move(at))
        .method("read", &reader::read)
        .method("read_suspending", &reader::read_waiting, suspending)
        .method("read_blocking", &reader::read_waiting, blocking)
        .method("write", &reader::write)
        .method("write_suspending", &reader::write_waiting, suspending)
        .method("write_blocking", &reader::write_waiting, blocking)
        .method("give_up", &reader::give_up)
        .method("give_up_suspending", &reader::give_up_waiting, suspending)
        .method("give_up_blocking", &reader::give_up_waiting, blocking)
        .method("until_told", &reader::until_told)
        .method("until_told_suspending", &reader::until_told_waiting, suspending)
        .method("until_told_blocking", &reader::until_told_waiting, blocking)
        .method("read_all", &reader::read_all)
        .method("read_all_suspending", &reader::read_all_waiting, suspending)
        .method("read_all_blocking", &reader::read_all_waiting, blocking)
        .method("read_in_plain", &reader::read_in_plain)
        .method("add", &reader::add);
  }

 private:
  struct leaving {
    desk& at;
    ~leaving() { at.unwound.add(); }
  };
  static task<int> read_digit(context& ctx, int descriptor) {
    co_await ctx.io().readable(descriptor);
    co_return read_from(descriptor) - '0';
  }

  std::shared_ptr<desk> at_;
};

struct office {
  explicit office(std::string_view policy)
      : nodes(site::options{.policy = std::string(policy), .blocking_threads = 2}) {
    nodes.back.serve({.topic = "reader"}, reader::described(at));
    nodes.connect();
  }
  client readers() { return nodes.client({.topic = "reader"}); }
  std::size_t watched() { return nodes.back.loop().stats().watched; }

  std::shared_ptr<desk> at = std::make_shared<desk>();
  pair nodes;
};

/// In all styles ("", "_suspending", "_blocking" after a method's name) on every executor.
void everywhere(const std::function<void(office&, const std::string&)>& test) {
  for (const auto policy : executors::policies()) {
    for (const std::string style : {"", "_suspending", "_blocking"}) {
      BOOST_TEST_CONTEXT(policy << style) {
        office here(policy);
        test(here, style);
        BOOST_TEST(here.watched() == 0U);
      }
    }
  }
}

template <class T>
std::string code_of(const result<T>& got) {
  return got ? "ok" : std::string(to_string(got.error().code()));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc_io)

BOOST_AUTO_TEST_CASE(goes_on_when_there_is_something_to_read) {
  everywhere([](office& here, const std::string& style) {
    connected_ends ends;
    auto got = here.readers().future_call<std::string>("read" + style, ends.near.get());
    BOOST_REQUIRE(eventually([&] { return here.watched() == 1; }));
    write_to(ends.far, "ab");
    BOOST_TEST(got.get().value() == "a");
    // And when there is at once.
    BOOST_TEST(here.readers().call<std::string>("read" + style, ends.near.get()).value() == "b");
  });
}

BOOST_AUTO_TEST_CASE(goes_on_at_the_end_of_a_stream) {
  everywhere([](office& here, const std::string& style) {
    connected_ends ends;
    auto got = here.readers().future_call<std::string>("read" + style, ends.near.get());
    BOOST_REQUIRE(eventually([&] { return here.watched() == 1; }));
    ends.far.close();
    BOOST_TEST(got.get().value() == ".");
  });
}

BOOST_AUTO_TEST_CASE(goes_on_when_there_is_room_to_write) {
  everywhere([](office& here, const std::string& style) {
    connected_ends ends;
    fill(ends.near.get());
    auto got = here.readers().future_call<std::string>("write" + style, ends.near.get());
    BOOST_REQUIRE(eventually([&] { return here.watched() == 1; }));
    drain(ends.far.get());
    BOOST_TEST(got.get().value() == "written");
  });
}

BOOST_AUTO_TEST_CASE(leaves_its_endpoint_to_others_meanwhile) {
  everywhere([](office& here, const std::string& style) {
    if (style == "_blocking") {
      return;  // That one has it to itself.
    }
    connected_ends ends;
    auto got = here.readers().future_call<std::string>("read" + style, ends.near.get());
    BOOST_REQUIRE(eventually([&] { return here.watched() == 1; }));
    BOOST_TEST(here.readers().call<int>("add", 1, 2).value() == 3);
    write_to(ends.far, "a");
    BOOST_TEST(got.get().value() == "a");
  });
}

BOOST_AUTO_TEST_CASE(takes_no_thread) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      office here(policy);
      std::vector<connected_ends> ends(50);
      std::vector<std::future<result<std::string>>> out;
      const auto before = thread_count();
      for (auto& each : ends) {
        out.push_back(here.readers().future_call<std::string>("read", each.near.get()));
        out.push_back(here.readers().future_call<std::string>("read_suspending", each.near.get()));
      }
      BOOST_REQUIRE(here.at->waiting.reaches(100));
      BOOST_REQUIRE(eventually([&] { return here.watched() == 50; }));
      BOOST_TEST(thread_count() == before);
      for (auto& each : ends) {
        write_to(each.far, "ab");
      }
      for (auto& each : out) {
        BOOST_TEST(each.get().has_value());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(waits_for_many_at_once) {
  everywhere([](office& here, const std::string& style) {
    std::vector<connected_ends> ends(100);
    std::vector<int> numbers;
    for (auto& each : ends) {
      numbers.push_back(each.near.get());
    }
    auto got = here.readers().future_call<int>("read_all" + style, numbers);
    BOOST_REQUIRE(eventually([&] { return here.watched() == ends.size(); }));
    for (auto each = ends.rbegin(); each != ends.rend(); ++each) {
      write_to(each->far, "3");
    }
    BOOST_TEST(got.get().value() == 300);
  });
}

BOOST_AUTO_TEST_CASE(several_wait_for_one_descriptor) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      office here(policy);
      connected_ends ends;
      fill(ends.near.get());
      const auto call = [&](const std::string& method) {
        return here.readers().future_call<std::string>(method, ends.near.get());
      };
      auto read = call("read");
      auto read_too = call("read_suspending");
      auto write = call("write_suspending");
      BOOST_REQUIRE(here.at->waiting.reaches(3));
      BOOST_TEST(here.readers().call<int>("add", 1, 2).value() == 3);  // They wait now.
      drain(ends.far.get());
      BOOST_TEST(write.get().value() == "written");
      BOOST_TEST(here.watched() == 1U);
      write_to(ends.far, "ab");
      BOOST_TEST(read.get().value() + read_too.get().value() != "aa");
      BOOST_TEST(here.watched() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_given_up_may_be_closed_at_once) {
  everywhere([](office& here, const std::string& style) {
    BOOST_TEST(here.readers().call<std::string>("give_up" + style).value() == "expired2");
  });
}

BOOST_AUTO_TEST_CASE(is_given_up_on_request) {
  everywhere([](office& here, const std::string& style) {
    connected_ends ends;
    auto got = here.readers().future_call<std::string>("until_told" + style, ends.near.get());
    BOOST_REQUIRE(eventually([&] { return here.watched() == 1; }));
    here.at->enough.request_stop();
    BOOST_TEST(got.get().value() == "cancelled");
    BOOST_TEST(here.watched() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(ends_with_its_endpoint) {
  everywhere([](office& here, const std::string& style) {
    connected_ends ends;
    auto got = here.readers().future_call<std::string>("read" + style, ends.near.get());
    BOOST_REQUIRE(eventually([&] { return here.watched() == 1; }));
    here.nodes.back.end();
    BOOST_TEST(!got.get());
    BOOST_TEST(here.at->unwound.reaches(1));
    BOOST_TEST(here.watched() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(says_what_cannot_be_watched) {
  everywhere([](office& here, const std::string& style) {
    const owned_descriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    for (const int wrong : {file.get(), -1, 1'000'000}) {
      const auto got = here.readers().call<std::string>("read" + style, wrong);
      BOOST_TEST(code_of(got) == "io");
      BOOST_TEST(
          got.error().message().find("descriptor " + std::to_string(wrong)) != std::string::npos,
          got.error().message());
    }
  });
}

BOOST_AUTO_TEST_CASE(cannot_be_waited_for_in_a_plain_handler) {
  office here("loop-bound");
  connected_ends ends;
  const auto got = here.readers().call<void>("read_in_plain", ends.near.get());
  BOOST_TEST(code_of(got) == "would_block");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests::io_test
