#pragma once

#include <string>
#include <vector>

namespace mailroom::cli {

/// Lines of columns, as wide as what stands in them; the first row is the head.
class table {
 public:
  using row = std::vector<std::string>;
  explicit table(row head) : rows_{std::move(head)} {}

  /// What others say of themselves may be in it: what a terminal would obey is escaped.
  void add(row cells);

  /// Columns of numbers are set to the right.
  std::string text() const;

 private:
  std::vector<row> rows_;
};

}  // namespace mailroom::cli
