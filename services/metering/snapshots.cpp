#include <mailroom/services/metering/snapshots.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <system_error>

namespace mailroom::metering {

namespace fs = std::filesystem;

std::vector<std::int64_t> recorded_moments(const fs::path& folder) {
  std::vector<std::int64_t> moments;
  std::error_code problem;
  for (fs::directory_iterator at(folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    const auto name = at->path().filename().string();
    std::int64_t moment = 0;
    const auto [rest, wrong] = std::from_chars(name.data(), name.data() + name.size(), moment);
    if (wrong == std::errc() && rest == name.data() + name.size() && moment >= 0 &&
        at->is_directory(problem)) {
      moments.push_back(moment);
    }
  }
  std::sort(moments.begin(), moments.end());
  return moments;
}

fs::path snapshot_path(const fs::path& folder, std::int64_t time_ns) {
  return folder / std::to_string(time_ns);
}

result<void> record_snapshot(const fs::path& folder, const proc_snapshot& what) {
  const auto root = snapshot_path(folder, what.time_ns);
  for (const auto& file : proc_files) {
    const auto& text = what.*file.text;
    if (text.empty()) {
      continue;
    }
    const auto path = root / file.path;
    std::error_code problem;
    fs::create_directories(path.parent_path(), problem);
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    if (!out) {
      return error(errc::io, "cannot write " + path.string());
    }
  }
  return {};
}

}  // namespace mailroom::metering
