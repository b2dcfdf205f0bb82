#pragma once

#include <mailroom/services/metering/sample.hpp>

#include <mailroom/framework/base/result.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::metering {

/// The files of /proc from which meters are read, as they were at one moment. A file that is not
/// there is empty, and its meters are missing.
struct proc_snapshot {
  std::int64_t time_ns = 0;
  std::string stat;
  std::string meminfo;
  std::string loadavg;
  std::string diskstats;
  std::string net_dev;
  std::string hostname;
};

struct proc_file {
  std::string_view path;  ///< Below the root.
  std::string proc_snapshot::*text;
};

/// All of them.
inline constexpr std::array<proc_file, 6> proc_files = {{
    {"stat", &proc_snapshot::stat},
    {"meminfo", &proc_snapshot::meminfo},
    {"loadavg", &proc_snapshot::loadavg},
    {"diskstats", &proc_snapshot::diskstats},
    {"net/dev", &proc_snapshot::net_dev},
    {"sys/kernel/hostname", &proc_snapshot::hostname},
}};

/// Reads the files below `root`. Blocks on them (procfs: about a millisecond). `errc::io` if not
/// one of them can be read.
result<proc_snapshot> read_proc(const std::filesystem::path& root, std::int64_t time_ns);

/// The meters that a snapshot tells; lines that cannot be read are passed over. Pure.
///
/// Of the host: cpu.busy and cpu.idle (cumulative ns, all cores together), memory.used and
/// memory.available (gauge B), load.1m, load.5m, load.15m (gauge process). Of each whole disk (no
/// partition, loop or RAM disk), as host:vda: disk.read.bytes, disk.write.bytes (cumulative B). Of
/// each network interface, as host:lo: network.incoming.bytes, network.outgoing.bytes (cumulative
/// B). `counters` adds cpu.util (gauge %, of all cores).
std::vector<sample> parse_proc(const proc_snapshot& from);

}  // namespace mailroom::metering
