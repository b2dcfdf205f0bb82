#pragma once

#include <mailroom/framework/wire/body.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Values as they travel. JSON names are those of the members.
namespace mailroom::postgres {

/// A value as PostgreSQL writes it ("42", "2026-01-31", "t"); nothing is NULL.
using cell = std::optional<std::string>;

/// What a statement came to.
struct table {
  std::vector<std::string> columns;
  std::vector<std::vector<cell>> rows;
  std::int64_t affected = 0;  ///< Rows that were selected, inserted, updated, deleted.

  MSGPACK_DEFINE_MAP(columns, rows, affected)

  friend bool operator==(const table&, const table&) = default;
};

}  // namespace mailroom::postgres
