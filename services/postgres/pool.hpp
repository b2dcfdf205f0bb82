#pragma once

#include <mailroom/services/postgres/connection.hpp>

#include <mailroom/framework/async/channel.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/rpc/context.hpp>

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace mailroom::postgres {

/// Up to so many connections, opened when they are needed. Used by handlers of one endpoint, which
/// wait in turn where all are taken.
class pool {
 public:
  pool(std::string settings, std::size_t most);

  /// Runs a statement on whichever is free. What the server closed while nobody used it is opened
  /// anew; what is lost while a statement runs is told, since nobody knows what has become of it.
  /// Throws as `connection::open` and `connection::run`.
  task<table> run(context& ctx, std::string sql, std::vector<cell> parameters);

 private:
  class loan;

  const std::string settings_;
  channel<std::monostate> free_;    // One for each that may be taken.
  std::vector<connection> unused_;  // The last one used is taken first.
};

}  // namespace mailroom::postgres
