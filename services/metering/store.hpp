#pragma once

#include <mailroom/services/metering/sample.hpp>

#include <mailroom/framework/base/result.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace mailroom::metering {

/// The text of statistics.sql.
extern const char* const statistics_sql;

/// Samples in an SQLite file. Functions block on the disk; a failure leaves the store usable, with
/// what it held before. One thread at a time.
///
/// The journal is a write-ahead log without a flush per batch: a killed process loses nothing that
/// was confirmed, a power cut may lose the last seconds.
class store {
 public:
  /// Opens or creates the file. `errc::io` for one that cannot be opened or is something else.
  static result<store> open(const std::string& path);

  /// Stores all or none, and returns how many were new: a sample is known by meter, resource and
  /// time, so that a batch which is sent again changes nothing. `errc::invalid_arguments` names the
  /// sample that is none; `errc::io` says why the disk did not take them.
  result<std::int64_t> add(std::span<const sample> samples);

  /// See statistics.sql; by meter, then resource.
  result<std::vector<statistic>> statistics(const filter& which);

  /// The latest of a meter (of all if empty), at most `limit`, in order of time.
  result<std::vector<sample>> samples(const std::string& meter, std::int64_t limit);

 private:
  struct closer {
    void operator()(sqlite3* database) const noexcept;
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  using statement = std::unique_ptr<sqlite3_stmt, closer>;

  store() = default;

  error failure(std::string_view doing) const;
  result<void> execute(const char* sql, std::string_view doing);
  result<statement> prepare(std::string_view sql);
  result<std::int64_t> insert(std::span<const sample> samples);

  std::string path_;
  std::unique_ptr<sqlite3, closer> database_;
  statement insert_;
  statement statistics_;
  statement samples_;
};

}  // namespace mailroom::metering
