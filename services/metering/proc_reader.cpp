#include <mailroom/services/metering/proc_reader.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <system_error>

namespace mailroom::metering {
namespace {

// /proc/stat counts in USER_HZ, which is 100 for every Linux that programs get to see.
constexpr double ns_per_tick = 1e7;
// /proc/diskstats counts sectors of 512 bytes whatever the disk's own are.
constexpr double sector = 512;
constexpr double kilobyte = 1024;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view blanks = " \t\r\n";
  std::vector<std::string_view> words;
  while (true) {
    const auto begin = line.find_first_not_of(blanks);
    if (begin == std::string_view::npos) {
      return words;
    }
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(blanks), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <class Number>
std::optional<double> number_of(std::string_view word) {
  Number value{};
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (problem != std::errc() || end != word.data() + word.size()) {
    return std::nullopt;
  }
  return static_cast<double>(value);
}

std::optional<double> count_of(std::string_view word) {
  return number_of<std::uint64_t>(word);
}

/// Collects samples of one snapshot.
class sheet {
 public:
  explicit sheet(const proc_snapshot& from) : time_ns_(from.time_ns) {
    const auto names = words_of(from.hostname);
    host_ = names.empty() ? "host" : std::string(names.front());
  }

  void add(std::string_view meter,
           std::string_view kind,
           std::string_view unit,
           double value,
           std::string_view part = {}) {
    auto resource = host_;
    if (!part.empty()) {
      resource.append(":").append(part);
    }
    samples_.push_back({.resource = std::move(resource),
                        .meter = std::string(meter),
                        .kind = std::string(kind),
                        .unit = std::string(unit),
                        .value = value,
                        .time_ns = time_ns_});
  }

  std::vector<sample> take() { return std::move(samples_); }

 private:
  std::int64_t time_ns_;
  std::string host_;
  std::vector<sample> samples_;
};

void read_cpu(std::string_view stat, sheet& into) {
  for (const auto line : lines_of(stat)) {
    const auto words = words_of(line);
    if (words.empty() || words.front() != "cpu") {
      continue;
    }
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    std::array<double, 8> ticks{};
    std::size_t read = 0;
    while (read < ticks.size() && read + 1 < words.size()) {
      const auto count = count_of(words[read + 1]);
      if (!count) {
        break;
      }
      ticks[read++] = *count;
    }
    if (read < 4) {
      return;  // Kernels since 2.4 write at least four.
    }
    const auto busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
    into.add("cpu.busy", cumulative, "ns", busy * ns_per_tick);
    into.add("cpu.idle", cumulative, "ns", (ticks[3] + ticks[4]) * ns_per_tick);
    return;
  }
}

void read_memory(std::string_view meminfo, sheet& into) {
  std::optional<double> total;
  std::optional<double> available;
  for (const auto line : lines_of(meminfo)) {
    const auto words = words_of(line);
    if (words.size() >= 2 && words[0] == "MemTotal:") {
      total = count_of(words[1]);
    } else if (words.size() >= 2 && words[0] == "MemAvailable:") {
      available = count_of(words[1]);
    }
  }
  if (total && available && *available <= *total) {
    into.add("memory.used", gauge, "B", (*total - *available) * kilobyte);
    into.add("memory.available", gauge, "B", *available * kilobyte);
  }
}

void read_load(std::string_view loadavg, sheet& into) {
  constexpr std::array<std::string_view, 3> meters = {"load.1m", "load.5m", "load.15m"};
  const auto words = words_of(loadavg);
  for (std::size_t i = 0; i < std::min(meters.size(), words.size()); ++i) {
    // No kernel writes "inf" or "nan"; from_chars would read them.
    const auto value = words[i].find_first_not_of("0123456789.") == std::string_view::npos
                           ? number_of<double>(words[i])
                           : std::nullopt;
    if (value) {
      into.add(meters[i], gauge, "process", *value);
    }
  }
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// A partition is called as its disk and a number (vda1), after a p if the disk ends with a digit
/// itself (nvme0n1p2). Asking for the disk in the same list needs no table of drivers.
bool is_partition(std::string_view name, std::span<const std::string_view> all) {
  return std::any_of(all.begin(), all.end(), [name](std::string_view disk) {
    if (disk.empty() || disk.size() >= name.size() || !name.starts_with(disk)) {
      return false;
    }
    const auto rest = name.substr(disk.size());
    const bool numbered = all_digits(disk.substr(disk.size() - 1));
    return numbered ? rest.front() == 'p' && all_digits(rest.substr(1)) : all_digits(rest);
  });
}

bool is_memory(std::string_view name) {
  return name.starts_with("loop") || name.starts_with("ram") || name.starts_with("zram");
}

void read_disks(std::string_view diskstats, sheet& into) {
  struct disk {
    double read;
    double written;
  };
  std::vector<std::string_view> names;
  std::vector<disk> disks;
  for (const auto line : lines_of(diskstats)) {
    const auto words = words_of(line);
    if (words.size() < 10) {
      continue;
    }
    const auto read = count_of(words[5]);
    const auto written = count_of(words[9]);
    if (read && written && !is_memory(words[2])) {
      names.push_back(words[2]);
      disks.push_back({.read = *read, .written = *written});
    }
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_partition(names[i], names)) {
      into.add("disk.read.bytes", cumulative, "B", disks[i].read * sector, names[i]);
      into.add("disk.write.bytes", cumulative, "B", disks[i].written * sector, names[i]);
    }
  }
}

void read_network(std::string_view net_dev, sheet& into) {
  for (const auto line : lines_of(net_dev)) {
    // The last colon, since an alias has one of its own: "eth0:1: 17 ...".
    const auto colon = line.rfind(':');
    if (colon == std::string_view::npos) {
      continue;
    }
    const auto names = words_of(line.substr(0, colon));
    const auto words = words_of(line.substr(colon + 1));
    if (names.size() != 1 || words.size() < 9) {
      continue;
    }
    const auto received = count_of(words[0]);
    const auto sent = count_of(words[8]);
    if (received && sent) {
      into.add("network.incoming.bytes", cumulative, "B", *received, names.front());
      into.add("network.outgoing.bytes", cumulative, "B", *sent, names.front());
    }
  }
}

}  // namespace

result<proc_snapshot> read_proc(const std::filesystem::path& root, std::int64_t time_ns) {
  proc_snapshot snapshot;
  snapshot.time_ns = time_ns;
  bool any = false;
  for (const auto& file : proc_files) {
    std::ifstream in(root / file.path, std::ios::binary);
    if (in) {
      std::ostringstream text;
      text << in.rdbuf();
      snapshot.*file.text = std::move(text).str();
    }
    any = any || !(snapshot.*file.text).empty();
  }
  if (!any) {
    return error(errc::io, root.string() + " holds none of the files of /proc that are read");
  }
  return snapshot;
}

std::vector<sample> parse_proc(const proc_snapshot& from) {
  sheet meters(from);
  read_cpu(from.stat, meters);
  read_memory(from.meminfo, meters);
  read_load(from.loadavg, meters);
  read_disks(from.diskstats, meters);
  read_network(from.net_dev, meters);
  return meters.take();
}

}  // namespace mailroom::metering
