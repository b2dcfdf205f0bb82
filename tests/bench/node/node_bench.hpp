#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mailroom::tests::bench {

/// Each prints what it measured, as README.md says, and tells whether everything went well.
/// `smoke`: a small load, for about a second.
bool moving(bool smoke);
bool nested(bool smoke);
bool idle(bool smoke);

/// The value below which `fraction` of them are. Sorts; 0 if there are none.
inline double quantile(std::vector<double>& of, double fraction) {
  if (of.empty()) {
    return 0;
  }
  std::sort(of.begin(), of.end());
  return of[static_cast<std::size_t>(fraction * static_cast<double>(of.size() - 1))];
}

}  // namespace mailroom::tests::bench
