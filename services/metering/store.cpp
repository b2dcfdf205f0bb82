#include <mailroom/services/metering/store.hpp>

#include <sqlite3.h>

#include <cmath>
#include <optional>
#include <string_view>

namespace mailroom::metering {
namespace {

// Somebody may look into the file with sqlite3 meanwhile.
constexpr int patience_ms = 2000;

// Whole-number reals take no more room than integers in the file.
constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS samples (
  meter TEXT NOT NULL,
  resource TEXT NOT NULL,
  time_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  unit TEXT NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (meter, resource, time_ns)
) WITHOUT ROWID)sql";

constexpr std::string_view insert_sql =
    "INSERT INTO samples (meter, resource, time_ns, kind, unit, value) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (meter, resource, time_ns) DO NOTHING";

constexpr std::string_view samples_sql =
    "SELECT resource, meter, kind, unit, value, time_ns FROM "
    "(SELECT * FROM samples WHERE (:meter IS NULL OR meter = :meter) "
    "ORDER BY time_ns DESC, meter DESC, resource DESC LIMIT :limit) "
    "ORDER BY time_ns, meter, resource";

/// Binds and steps one prepared statement, and leaves it as it was found.
class run {
 public:
  explicit run(sqlite3_stmt* statement) : statement_(statement) {}
  run(const run&) = delete;
  run& operator=(const run&) = delete;
  ~run() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  // The text outlives the run: SQLite need not copy it.
  void bind(int at, std::string_view text) {
    sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  void bind(int at, std::int64_t number) { sqlite3_bind_int64(statement_, at, number); }
  void bind(int at, double number) { sqlite3_bind_double(statement_, at, number); }
  template <class T>
  void bind(const char* name, const std::optional<T>& value) {
    if (value) {
      bind(sqlite3_bind_parameter_index(statement_, name), *value);
    }
  }

  /// SQLITE_ROW, SQLITE_DONE or what went wrong.
  int step() { return sqlite3_step(statement_); }

  std::string text(int column) const {
    const auto* characters = sqlite3_column_text(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return characters == nullptr ? std::string()
                                 : std::string(reinterpret_cast<const char*>(characters), size);
  }
  double real(int column) const { return sqlite3_column_double(statement_, column); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  sqlite3_stmt* statement_;
};

std::string_view what_is_wrong(const sample& with) {
  constexpr std::size_t longest = 255;
  if (with.meter.empty() || with.meter.size() > longest) {
    return "its meter needs a name of 1 to 255 bytes";
  }
  if (with.resource.empty() || with.resource.size() > longest) {
    return "its resource needs a name of 1 to 255 bytes";
  }
  if (with.kind != gauge && with.kind != cumulative) {
    return "its kind is neither gauge nor cumulative";
  }
  if (with.unit.size() > longest) {
    return "its unit is longer than 255 bytes";
  }
  if (!std::isfinite(with.value)) {
    return "its value is no finite number";
  }
  return {};
}

}  // namespace

void store::closer::operator()(sqlite3* database) const noexcept {
  sqlite3_close(database);
}

void store::closer::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

result<store> store::open(const std::string& path) {
  store opened;
  opened.path_ = path;
  sqlite3* database = nullptr;
  // Two handlers of an endpoint never run at the same moment, so SQLite needs no lock of its own.
  const int status =
      sqlite3_open_v2(path.c_str(),
                      &database,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      nullptr);
  opened.database_.reset(database);
  if (status != SQLITE_OK) {
    return opened.failure("opening");
  }
  sqlite3_busy_timeout(database, patience_ms);
  for (const auto* setting : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", schema}) {
    if (auto done = opened.execute(setting, "opening"); !done) {
      return done.error();
    }
  }
  for (const auto& [into, sql] : {std::pair(&opened.insert_, insert_sql),
                                  std::pair(&opened.statistics_, std::string_view(statistics_sql)),
                                  std::pair(&opened.samples_, samples_sql)}) {
    auto prepared = opened.prepare(sql);
    if (!prepared) {
      return prepared.error();
    }
    *into = *std::move(prepared);
  }
  return opened;
}

result<std::int64_t> store::add(std::span<const sample> samples) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (const auto wrong = what_is_wrong(samples[i]); !wrong.empty()) {
      return error(errc::invalid_arguments,
                   "sample " + std::to_string(i + 1) + ": " + std::string(wrong));
    }
  }
  if (auto begun = execute("BEGIN IMMEDIATE", "writing to"); !begun) {
    return begun.error();
  }
  auto stored = insert(samples);
  if (stored) {
    if (auto committed = execute("COMMIT", "writing to"); !committed) {
      stored = committed.error();
    }
  }
  // Some failures have rolled back already.
  if (!stored && sqlite3_get_autocommit(database_.get()) == 0) {
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return stored;
}

result<std::int64_t> store::insert(std::span<const sample> samples) {
  std::int64_t stored = 0;
  for (const auto& each : samples) {
    run row(insert_.get());
    row.bind(1, each.meter);
    row.bind(2, each.resource);
    row.bind(3, each.time_ns);
    row.bind(4, each.kind);
    row.bind(5, each.unit);
    row.bind(6, each.value);
    if (row.step() != SQLITE_DONE) {
      return failure("writing to");
    }
    stored += sqlite3_changes(database_.get());
  }
  return stored;
}

result<std::vector<statistic>> store::statistics(const filter& which) {
  run rows(statistics_.get());
  rows.bind(":meter", which.meter);
  rows.bind(":resource", which.resource);
  rows.bind(":from_ns", which.from_ns);
  rows.bind(":until_ns", which.until_ns);
  std::vector<statistic> found;
  int status = rows.step();
  for (; status == SQLITE_ROW; status = rows.step()) {
    found.push_back({.meter = rows.text(0),
                     .resource = rows.text(1),
                     .kind = rows.text(2),
                     .unit = rows.text(3),
                     .count = rows.integer(4),
                     .min = rows.real(5),
                     .avg = rows.real(6),
                     .max = rows.real(7),
                     .rate = rows.is_null(8) ? std::nullopt : std::optional(rows.real(8))});
  }
  if (status != SQLITE_DONE) {
    return failure("reading");
  }
  return found;
}

result<std::vector<sample>> store::samples(const std::string& meter, std::int64_t limit) {
  if (limit < 0) {
    return error(errc::invalid_arguments, "the limit is negative");
  }
  run rows(samples_.get());
  rows.bind(":meter", meter.empty() ? std::nullopt : std::optional<std::string_view>(meter));
  rows.bind(":limit", std::optional(limit));
  std::vector<sample> found;
  int status = rows.step();
  for (; status == SQLITE_ROW; status = rows.step()) {
    found.push_back({.resource = rows.text(0),
                     .meter = rows.text(1),
                     .kind = rows.text(2),
                     .unit = rows.text(3),
                     .value = rows.real(4),
                     .time_ns = rows.integer(5)});
  }
  if (status != SQLITE_DONE) {
    return failure("reading");
  }
  return found;
}

error store::failure(std::string_view doing) const {
  std::string message(doing);
  message.append(" the metering database ").append(path_).append(": ");
  message.append(database_ ? sqlite3_errmsg(database_.get()) : "out of memory");
  return error(errc::io, message);
}

result<void> store::execute(const char* sql, std::string_view doing) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure(doing);
  }
  return {};
}

result<store::statement> store::prepare(std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const int status = sqlite3_prepare_v3(database_.get(),
                                        sql.data(),
                                        static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT,
                                        &prepared,
                                        nullptr);
  statement owned(prepared);
  if (status != SQLITE_OK) {
    return failure("opening");
  }
  return owned;
}

}  // namespace mailroom::metering
