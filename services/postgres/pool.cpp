#include <mailroom/services/postgres/pool.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <optional>
#include <utility>

namespace mailroom::postgres {

/// The right to one connection, and the connection if there is one; both go back when it goes.
class pool::loan {
 public:
  explicit loan(pool& of) : of_(of) {
    if (!of.unused_.empty()) {
      lent.emplace(std::move(of.unused_.back()));
      of.unused_.pop_back();
    }
  }
  loan(const loan&) = delete;
  loan& operator=(const loan&) = delete;
  ~loan() {
    // One that is left in the middle of something is closed.
    if (lent && lent->is_usable()) {
      of_.unused_.push_back(*std::move(lent));  // There is room for all.
    }
    of_.free_.try_send({});
  }

  std::optional<connection> lent;

 private:
  pool& of_;
};

pool::pool(std::string settings, std::size_t most) : settings_(std::move(settings)), free_(most) {
  unused_.reserve(most);
  for (std::size_t i = 0; i < most; ++i) {
    free_.try_send({});
  }
}

task<table> pool::run(context& ctx, std::string sql, std::vector<cell> parameters) {
  static_cast<void>((co_await free_.receive()).value());
  loan taken(*this);
  try {
    if (!taken.lent || !taken.lent->is_usable()) {
      taken.lent.reset();
      taken.lent.emplace(co_await connection::open(ctx, settings_));
    }
    co_return co_await taken.lent->run(ctx, std::move(sql), std::move(parameters));
  } catch (const connection_error& lost) {
    log::warn_limited("postgres", "no_connection", {{"reason", lost.what()}});
    throw;
  }
}

}  // namespace mailroom::postgres
