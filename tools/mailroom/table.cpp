#include <mailroom/tools/mailroom/table.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace mailroom::cli {
namespace {

bool is_number(const std::string& cell) {
  return !cell.empty() && (std::isdigit(static_cast<unsigned char>(cell.front())) != 0 ||
                           cell == "-" || cell.front() == '+');
}

}  // namespace

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
