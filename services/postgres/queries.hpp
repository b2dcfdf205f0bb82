#pragma once

#include <mailroom/services/postgres/pool.hpp>
#include <mailroom/services/postgres/table.hpp>

#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace mailroom::postgres {

/// Where queries go, and how they are called there.
inline constexpr const char* topic = "postgres";
inline constexpr const char* version = "1.0";

/// The endpoint that passes SQL on to a PostgreSQL server. Statements of many calls run at once, on
/// as many connections as it may have; what one call leaves in its session another may find. A call
/// that nobody waits for any more leaves its query, and closes that connection.
class queries {
 public:
  /// `settings` as `check_settings` approves of; at most `connections` at once.
  queries(std::string settings, std::size_t connections);

  /// Runs one statement; `$1` in it is the first parameter. Fails with `sql_error` or
  /// `connection_error`.
  task<table> query(context& ctx, std::string sql, std::vector<cell> parameters);

  /// Runs all at the same time, each on a connection of its own as far as they go, and answers when
  /// the last has ended: with what they came to, in their order, or with what one failed with.
  task<std::vector<table>> together(context& ctx, std::vector<std::string> sql);

  static endpoint_builder<queries> described(std::string settings, std::size_t connections);

 private:
  pool pool_;
};

}  // namespace mailroom::postgres
