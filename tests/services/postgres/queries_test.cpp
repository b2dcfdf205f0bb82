#include <mailroom/tests/framework/executors/until.hpp>
#include <mailroom/tests/support/process.hpp>

#include <mailroom/services/host/node.hpp>
#include <mailroom/services/postgres/connection.hpp>
#include <mailroom/services/postgres/queries.hpp>

#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

// Queries of many calls at once, on every executor, against a real server.

namespace mailroom::tests {
namespace {

using postgres::cell;
using postgres::table;
using std::chrono::milliseconds;

/// A PostgreSQL for all cases.
class scratch_server {
 public:
  scratch_server() { settings_ = running_.read_after("ready ", std::chrono::minutes(2)); }
  ~scratch_server() {
    running_.close_input();
    running_.wait();
  }
  static const std::string& settings() {
    static const scratch_server server;
    return server.settings_;
  }

 private:
  process running_{{MAILROOM_PYTHON, "-B", MAILROOM_SCRATCH_SERVER}};
  std::string settings_;
};

class echoing {
 public:
  int echo(context&, int n) { return n; }
};

/// A node that serves queries and, on the same executor, an echo.
struct served {
  explicit served(std::string_view policy,
                  std::size_t connections = 8,
                  const std::string& settings = scratch_server::settings())
      : at({.executor = std::string(policy), .workers = 2}) {
    log::set_level(log::level::error);
    at.serve({.topic = "postgres"}, postgres::queries::described(settings, connections));
    at.serve({.topic = "echo"}, endpoint<echoing>().method("echo", &echoing::echo));
    at.start().value();
  }

  result<table> query(const std::string& sql, const std::vector<cell>& parameters = {}) {
    return client(at, {.topic = "postgres"}).call<table>("query", sql, parameters);
  }
  std::future<result<table>> begin(const std::string& sql) {
    return client(at, {.topic = "postgres"}).future_call<table>("query", sql, std::vector<cell>());
  }
  std::future<result<std::vector<table>>> together(const std::vector<std::string>& sql) {
    return client(at, {.topic = "postgres"}).future_call<std::vector<table>>("together", sql);
  }
  bool echoes(int n) { return client(at, {.topic = "echo"}).call<int>("echo", n).value() == n; }

  node at;
};

void on_every_executor(const std::function<void(std::string_view)>& test) {
  for (const auto policy : executors::policies()) {
    BOOST_TEST_CONTEXT(policy) {
      test(policy);
    }
  }
}

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

template <class T>
bool is_ready(const std::future<T>& what) {
  return what.wait_for(milliseconds(0)) == std::future_status::ready;
}

std::string only_cell(const result<table>& got) {
  return got.value().rows.at(0).at(0).value_or("NULL");
}

/// As `sql` of somebody whom nothing here disturbs: a number.
long count(served& beside, const std::string& sql) {
  return std::stol(only_cell(beside.query(sql)));
}

/// How many connections others have.
long backends(served& beside) {
  return count(beside,
               "select count(*) from pg_stat_activity "
               "where backend_type = 'client backend' and pid <> pg_backend_pid()");
}

/// How many backends run a sleep so long.
long sleepers(served& beside, const std::string& seconds) {
  return count(beside,
               "select count(*) from pg_stat_activity where state = 'active' and query = "
               "'select pg_sleep(" +
                   seconds + ")'");
}

/// Failed with an exception of that type, whose words begin like that.
void failed_with(const result<table>& got, const std::string& type, const std::string& words) {
  BOOST_TEST_REQUIRE(!got);
  BOOST_TEST(std::string(to_string(got.error().code())) == "handler_failed");
  BOOST_TEST(got.error().type() == "mailroom::postgres::" + type);
  BOOST_TEST(got.error().message().starts_with(words), got.error().message());
}

/// Echoes one after the other until `what` has come; how long each took, the longest last. `each`
/// is done in between.
template <class T>
std::vector<duration> echo_until(served& here,
                                 const std::future<T>& what,
                                 const std::function<void()>& each) {
  std::vector<duration> took;
  while (!is_ready(what)) {
    const auto begun = clock::now();
    BOOST_TEST_REQUIRE(here.echoes(static_cast<int>(took.size())));
    took.push_back(clock::now() - begun);
    each();
    std::this_thread::sleep_for(milliseconds(1));
  }
  std::sort(took.begin(), took.end());
  return took;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(postgres_queries)

BOOST_AUTO_TEST_CASE(eight_sleeps_take_as_long_as_one_and_no_thread) {
  on_every_executor([](std::string_view policy) {
    served here(policy);
    BOOST_TEST(here.echoes(1));
    const std::vector<std::string> sleeps(8, "select pg_sleep(0.5)");
    duration best = 1h;
    duration most = 1h;
    duration worst = 1h;
    // Others may have the machine for a while: one round of three must be as it should.
    for (int round = 0; round < 3 && (best >= 1s || most >= 20ms || worst >= 250ms); ++round) {
      const auto before = thread_count();
      std::size_t threads = 0;
      const auto begun = clock::now();
      auto out = here.together(sleeps);
      const auto took = echo_until(here, out, [&] { threads = std::max(threads, thread_count()); });
      const auto lasted = clock::now() - begun;
      BOOST_TEST(out.get().value().size() == 8U);
      BOOST_TEST(threads == before);
      best = lasted;
      most = took[took.size() * 9 / 10];
      worst = took.back();
      BOOST_TEST_MESSAGE(
          policy << ": eight sleeps " << std::chrono::duration_cast<milliseconds>(best).count()
                 << " ms; " << took.size() << " echoes, nine of ten within "
                 << std::chrono::duration_cast<std::chrono::microseconds>(most).count()
                 << " us, the worst "
                 << std::chrono::duration_cast<std::chrono::microseconds>(worst).count() << " us; "
                 << threads << " threads");
    }
    BOOST_TEST((best < 1s));
    BOOST_TEST((most < 20ms));
    BOOST_TEST((worst < 250ms));
  });
}

BOOST_AUTO_TEST_CASE(answers_with_columns_and_rows) {
  on_every_executor([](std::string_view policy) {
    served here(policy);
    const auto got = here.query(
        "select n, n * $1::int as product, $2::text as nothing from generate_series(1, 2) n",
        {"21", std::nullopt});
    const table wanted{.columns = {"n", "product", "nothing"},
                       .rows = {{"1", "21", std::nullopt}, {"2", "42", std::nullopt}},
                       .affected = 2};
    BOOST_TEST((got.value() == wanted));
    BOOST_TEST((here.query("").value() == table()));
  });
}

BOOST_AUTO_TEST_CASE(runs_more_at_once_than_it_has_connections) {
  on_every_executor([](std::string_view policy) {
    served here(policy, 3);
    std::vector<std::string> sql;
    for (int i = 0; i < 50; ++i) {
      sql.push_back("select " + std::to_string(i));
    }
    const auto all = here.together(sql).get().value();
    BOOST_TEST_REQUIRE(all.size() == 50U);
    for (std::size_t i = 0; i < all.size(); ++i) {
      BOOST_TEST(all[i].rows.at(0).at(0).value() == std::to_string(i));
    }
    served beside("cooperative", 1);
    BOOST_TEST(eventually([&] { return backends(beside) == 3; }));
  });
}

BOOST_AUTO_TEST_CASE(carries_what_does_not_fit_into_a_socket) {
  on_every_executor([](std::string_view policy) {
    served here(policy);
    const std::string large(8U << 20U, 'x');
    BOOST_TEST(only_cell(here.query("select length($1)", {large})) == std::to_string(large.size()));
    BOOST_TEST((only_cell(here.query("select $1::text", {large})) == large));
  });
}

BOOST_AUTO_TEST_CASE(says_what_the_server_said) {
  on_every_executor([](std::string_view policy) {
    served here(policy, 1);
    const auto backend = only_cell(here.query("select pg_backend_pid()"));
    failed_with(here.query("select * from nowhere"),
                "sql_error",
                "relation \"nowhere\" does not exist (SQLSTATE 42P01)");
    failed_with(here.query("select 1 / $1::int", {"0"}), "sql_error", "division by zero");
    failed_with(here.query("select 1; select 2"), "sql_error", "cannot insert multiple commands");
    BOOST_TEST(only_cell(here.query("select pg_backend_pid()")) == backend);
    // Of several, the rest is waited for.
    const auto both = here.together({"select * from nowhere", "select 1"}).get();
    BOOST_TEST(!both);
    BOOST_TEST(both.error().type() == "mailroom::postgres::sql_error");
  });
}

BOOST_AUTO_TEST_CASE(keeps_calls_apart_that_leave_something_open) {
  on_every_executor([](std::string_view policy) {
    served here(policy, 1);
    failed_with(here.query("begin"), "sql_error", "a transaction does not outlive its call");
    failed_with(here.query("copy pg_class to stdout"), "sql_error", "COPY");
    failed_with(
        here.query("select count(*) from no_transaction_is_aborted"), "sql_error", "relation");
    BOOST_TEST(only_cell(here.query("select 1")) == "1");
    const auto zero = here.query(std::string("select 1\0", 9));
    BOOST_TEST((zero.error() == errc::invalid_arguments));
    BOOST_TEST(only_cell(here.query("select 1")) == "1");
  });
}

BOOST_AUTO_TEST_CASE(tells_that_its_connection_was_ended_and_opens_another) {
  on_every_executor([](std::string_view policy) {
    served here(policy, 1);
    served beside("cooperative", 1);
    auto running = here.begin("select pg_sleep(60)");
    BOOST_TEST(eventually([&] {
      return count(beside,
                   "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                   "where query = 'select pg_sleep(60)'") > 0;
    }));
    failed_with(
        running.get(), "connection_error", "terminating connection due to administrator command");
    BOOST_TEST(only_cell(here.query("select 1")) == "1");
  });
}

BOOST_AUTO_TEST_CASE(opens_anew_what_was_ended_while_nobody_used_it) {
  on_every_executor([](std::string_view policy) {
    served here(policy, 1);
    served beside("cooperative", 1);
    const auto backend = only_cell(here.query("select pg_backend_pid()"));
    BOOST_TEST(only_cell(beside.query("select pg_terminate_backend(" + backend + ", 20000)")) ==
               "t");
    BOOST_TEST(only_cell(here.query("select pg_backend_pid()")) != backend);
  });
}

BOOST_AUTO_TEST_CASE(leaves_a_query_at_the_deadline_of_its_call) {
  on_every_executor([](std::string_view policy) {
    served here(policy, 1);
    served beside("cooperative", 1);
    const auto got = client(here.at, {.topic = "postgres"})
                         .prepare({.timeout = milliseconds(200)})
                         .call<table>("query", "select pg_sleep(61)", std::vector<cell>());
    BOOST_TEST((got.error() == errc::expired));
    BOOST_TEST(only_cell(here.query("select 1")) == "1");
    BOOST_TEST(eventually([&] { return sleepers(beside, "61") == 0; }));
  });
}

BOOST_AUTO_TEST_CASE(leaves_its_queries_when_the_node_stops) {
  on_every_executor([](std::string_view policy) {
    served here(policy);
    served beside("cooperative", 1);
    auto out = here.together(std::vector<std::string>(4, "select pg_sleep(62)"));
    BOOST_TEST(eventually([&] { return sleepers(beside, "62") == 4; }));
    const auto begun = clock::now();
    BOOST_TEST(!here.at.stop(milliseconds(50)));
    BOOST_TEST((clock::now() - begun < 10s));
    BOOST_TEST(!out.get());
    BOOST_TEST(eventually([&] { return sleepers(beside, "62") == 0; }));
    BOOST_TEST(eventually([&] { return backends(beside) == 0; }));
  });
}

BOOST_AUTO_TEST_CASE(says_that_there_is_no_server) {
  on_every_executor([](std::string_view policy) {
    served here(policy, 2, "host=/nowhere dbname=postgres");
    failed_with(here.query("select 1"), "connection_error", "connection to server on socket");
  });
}

BOOST_AUTO_TEST_CASE(knows_settings_that_cannot_be) {
  BOOST_TEST(postgres::check_settings("").has_value());
  BOOST_TEST(postgres::check_settings("host=/run/postgresql dbname=app").has_value());
  BOOST_TEST(postgres::check_settings("postgresql:///app?host=/run/postgresql").has_value());
  const auto wrong = postgres::check_settings("hots=/run/postgresql");
  BOOST_TEST((wrong.error() == errc::invalid_value));
  BOOST_TEST(wrong.error().message().find("hots") != std::string::npos, wrong.error().message());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests
