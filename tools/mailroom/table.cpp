#include <mailroom/tools/mailroom/table.hpp>

#include <mailroom/framework/base/text.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace mailroom::cli {
namespace {

/// A number by itself or with a short unit: "17", "0.5", "3 us", "-".
bool is_number(const std::string& cell) {
  constexpr std::size_t longest_unit = 3;
  const std::size_t end = cell.find_first_not_of("0123456789.");
  return cell == "-" || (end != 0 && !cell.empty() &&
                         (end == std::string::npos || cell.size() - end <= longest_unit));
}

}  // namespace

void table::add(row cells) {
  for (auto& each : cells) {
    if (!is_shown(each)) {
      each = mailroom::shown(each);
    }
  }
  rows_.push_back(std::move(cells));
}

std::string table::text() const {
  const std::size_t columns = rows_.front().size();
  std::vector<std::size_t> widths(columns, 0);
  std::vector<bool> right(columns, rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], rows_[r][c].size());
      if (r > 0 && !is_number(rows_[r][c])) {
        right[c] = false;
      }
    }
  }
  std::string lines;
  for (const auto& cells : rows_) {
    std::string line;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::string pad(widths[c] - cells[c].size(), ' ');
      line += (c == 0 ? "" : "  ") + (right[c] ? pad + cells[c] : cells[c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines += line + '\n';
  }
  lines.pop_back();
  return lines;
}

}  // namespace mailroom::cli
