#pragma once

#include <mailroom/services/postgres/table.hpp>

#include <mailroom/framework/async/io.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/context.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;
struct pg_result;

namespace mailroom::postgres {

/// The server refused a statement, or it failed: the server's words, and its code (SQLSTATE). The
/// connection is as good as before.
class sql_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// There is no connection (any more): libpq's words, or the server's last.
class connection_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Whether libpq can read these settings ("host=/run/postgresql dbname=app", or a URI);
/// `errc::invalid_value` says why not.
result<void> check_settings(const std::string& settings);

/// One connection to a PostgreSQL server, which never blocks its thread: libpq says what its socket
/// has to become, and `ctx.io()` waits for it. But for one thing: libpq looks up a host's name by
/// blocking; give it a socket's folder or an address. One statement at a time; used by handlers of
/// one endpoint.
class connection {
 public:
  /// Throws `connection_error`; `call_error` if `ctx` is told to stop meanwhile.
  static task<connection> open(context& ctx, std::string settings);

  /// Runs one statement; `$1` in it is the first parameter. Throws `sql_error`, `connection_error`,
  /// and `call_error` if `ctx` is told to stop meanwhile.
  task<table> run(context& ctx, std::string sql, std::vector<cell> parameters);

  /// It can take a statement, as far as one can know: nothing runs on it, no transaction is open,
  /// and the server has not gone. Does not wait.
  bool is_usable();

 private:
  struct closer {
    void operator()(pg_conn* open) const noexcept;
    void operator()(pg_result* read) const noexcept;
  };
  using answer = std::unique_ptr<pg_result, closer>;

  explicit connection(pg_conn* begun) : handle_(begun) {}

  static task<void> until(context& ctx, io_operation ready);
  task<void> send(context& ctx, const std::string& sql, const std::vector<cell>& parameters);
  task<answer> next_answer(context& ctx);
  std::string last_words() const;

  std::unique_ptr<pg_conn, closer> handle_;
};

}  // namespace mailroom::postgres
