#include <mailroom/services/postgres/queries.hpp>

#include <mailroom/framework/async/gather.hpp>

#include <utility>

namespace mailroom::postgres {

queries::queries(std::string settings, std::size_t connections)
    : pool_(std::move(settings), connections) {}

task<table> queries::query(context& ctx, std::string sql, std::vector<cell> parameters) {
  return pool_.run(ctx, std::move(sql), std::move(parameters));
}

task<std::vector<table>> queries::together(context& ctx, std::vector<std::string> sql) {
  std::vector<task<table>> all;
  all.reserve(sql.size());
  for (auto& each : sql) {
    all.push_back(pool_.run(ctx, std::move(each), {}));
  }
  co_return co_await gather(std::move(all));
}

endpoint_builder<queries> queries::described(std::string settings, std::size_t connections) {
  return endpoint<queries>(std::move(settings), connections)
      .method("query", &queries::query)
      .method("together", &queries::together);
}

}  // namespace mailroom::postgres
