#include <mailroom/services/postgres/connection.hpp>

#include <mailroom/framework/async/wait_for.hpp>

#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <charconv>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

namespace mailroom::postgres {
namespace {

std::string without_line_end(std::string_view text) {
  return std::string(text.substr(0, text.find_last_not_of(" \n") + 1));
}

// "relation "nowhere" does not exist (SQLSTATE 42P01)".
std::string words_of(const pg_result* failed) {
  const char* words = ::PQresultErrorField(failed, PG_DIAG_MESSAGE_PRIMARY);
  const char* code = ::PQresultErrorField(failed, PG_DIAG_SQLSTATE);
  std::string all = words != nullptr ? words : without_line_end(::PQresultErrorMessage(failed));
  if (const char* more = ::PQresultErrorField(failed, PG_DIAG_MESSAGE_DETAIL)) {
    all += "; " + std::string(more);
  }
  return code != nullptr ? all + " (SQLSTATE " + code + ")" : all;
}

table table_of(pg_result* read) {
  table all;
  const int columns = ::PQnfields(read);
  for (int i = 0; i < columns; ++i) {
    all.columns.emplace_back(::PQfname(read, i));
  }
  const int rows = ::PQntuples(read);
  all.rows.reserve(static_cast<std::size_t>(rows));
  for (int i = 0; i < rows; ++i) {
    auto& row = all.rows.emplace_back();
    for (int j = 0; j < columns; ++j) {
      if (::PQgetisnull(read, i, j) != 0) {
        row.emplace_back();
      } else {
        row.emplace_back(std::string(::PQgetvalue(read, i, j),
                                     static_cast<std::size_t>(::PQgetlength(read, i, j))));
      }
    }
  }
  const std::string_view affected = ::PQcmdTuples(read);
  std::from_chars(affected.data(), affected.data() + affected.size(), all.affected);
  return all;
}

// The interface of libpq ends a text at the first zero.
void refuse_zero(const std::string& text) {
  if (text.find('\0') != std::string::npos) {
    throw call_error(error(errc::invalid_arguments, "a zero byte, which PostgreSQL cannot hold"));
  }
}

}  // namespace

result<void> check_settings(const std::string& settings) {
  char* why = nullptr;
  if (auto* parsed = ::PQconninfoParse(settings.c_str(), &why)) {
    ::PQconninfoFree(parsed);
    return {};
  }
  const error refused(errc::invalid_value,
                      why != nullptr ? without_line_end(why) : "out of memory");
  ::PQfreemem(why);
  return refused;
}

void connection::closer::operator()(pg_conn* open) const noexcept {
  ::PQfinish(open);
}
void connection::closer::operator()(pg_result* read) const noexcept {
  ::PQclear(read);
}

task<void> connection::until(context& ctx, io_operation ready) {
  const auto came = co_await wait_for(ready, ctx.stop_token());
  if (!came) {
    const bool late = ctx.deadline().passed(ctx.flow().where->now());
    throw call_error(late ? error(errc::expired, "its deadline passed before the server answered")
                          : came.error());
  }
}

task<connection> connection::open(context& ctx, std::string settings) {
  const std::array<const char*, 3> names{"dbname", "fallback_application_name", nullptr};
  const std::array<const char*, 3> values{settings.c_str(), "mailroom-postgres", nullptr};
  connection made(::PQconnectStartParams(names.data(), values.data(), 1));
  if (!made.handle_) {
    throw std::bad_alloc();
  }
  pg_conn* const handle = made.handle_.get();
  // Told to nobody: it would go to standard error.
  ::PQsetNoticeReceiver(
      handle, [](void*, const pg_result*) {}, nullptr);
  auto wanted = ::PQstatus(handle) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (wanted != PGRES_POLLING_OK) {
    if (wanted == PGRES_POLLING_FAILED) {
      throw connection_error(made.last_words());
    }
    // Asked anew each time: with several hosts it is another one's.
    const int socket = ::PQsocket(handle);
    co_await until(
        ctx,
        wanted == PGRES_POLLING_READING ? ctx.io().readable(socket) : ctx.io().writable(socket));
    wanted = ::PQconnectPoll(handle);
  }
  if (::PQsetnonblocking(handle, 1) != 0) {
    throw connection_error(made.last_words());
  }
  co_return std::move(made);
}

task<void> connection::send(context& ctx,
                            const std::string& sql,
                            const std::vector<cell>& parameters) {
  refuse_zero(sql);
  std::vector<const char*> values;
  for (const auto& each : parameters) {
    if (each) {
      refuse_zero(*each);
    }
    values.push_back(each ? each->c_str() : nullptr);
  }
  pg_conn* const handle = handle_.get();
  if (::PQsendQueryParams(handle,
                          sql.c_str(),
                          static_cast<int>(values.size()),
                          nullptr,
                          values.data(),
                          nullptr,
                          nullptr,
                          0) == 0) {
    throw connection_error(last_words());
  }
  int left = 0;
  while ((left = ::PQflush(handle)) == 1) {
    // The server may want to be read before it goes on reading.
    co_await until(ctx, ctx.io().ready(::PQsocket(handle)));
    if (::PQconsumeInput(handle) == 0) {
      throw connection_error(last_words());
    }
  }
  if (left != 0) {
    throw connection_error(last_words());
  }
}

// Null after the last.
task<connection::answer> connection::next_answer(context& ctx) {
  pg_conn* const handle = handle_.get();
  while (::PQisBusy(handle) != 0) {
    co_await until(ctx, ctx.io().readable(::PQsocket(handle)));
    if (::PQconsumeInput(handle) == 0) {
      throw connection_error(last_words());
    }
  }
  co_return answer(::PQgetResult(handle));
}

task<table> connection::run(context& ctx, std::string sql, std::vector<cell> parameters) {
  co_await send(ctx, sql, parameters);
  table all;
  std::optional<std::string> failed;
  try {
    while (const auto read = co_await next_answer(ctx)) {
      switch (::PQresultStatus(read.get())) {
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY: all = table_of(read.get()); break;
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
          // It would be answered again and again until its data had been passed.
          throw sql_error("COPY from and to the client is not served");
        default: failed = words_of(read.get()); break;
      }
    }
  } catch (const connection_error&) {
    // A server that ends a connection says why before it closes.
    throw connection_error(failed ? *failed : last_words());
  }
  if (::PQstatus(handle_.get()) == CONNECTION_BAD) {
    throw connection_error(failed ? *failed : last_words());
  }
  if (failed) {
    throw sql_error(*failed);
  }
  if (::PQtransactionStatus(handle_.get()) != PQTRANS_IDLE) {
    throw sql_error(
        "a transaction does not outlive its call: it was rolled back; put it into one statement, "
        "such as a function or DO");
  }
  co_return all;
}

bool connection::is_usable() {
  pg_conn* const handle = handle_.get();
  if (::PQtransactionStatus(handle) != PQTRANS_IDLE) {
    return false;
  }
  // What comes unasked is read away; the end of the connection follows the server's last words.
  pollfd unasked{::PQsocket(handle), POLLIN, 0};
  while (::poll(&unasked, 1, 0) > 0) {
    if (::PQconsumeInput(handle) == 0) {
      return false;
    }
    static_cast<void>(::PQisBusy(handle));
    while (auto* notification = ::PQnotifies(handle)) {
      ::PQfreemem(notification);
    }
  }
  return true;
}

std::string connection::last_words() const {
  return without_line_end(::PQerrorMessage(handle_.get()));
}

}  // namespace mailroom::postgres
