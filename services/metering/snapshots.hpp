#pragma once

#include <mailroom/services/metering/proc_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <vector>

// Snapshots of /proc on disk: FOLDER/<nanoseconds since 1970>/{stat,meminfo,net/dev,...}.

namespace mailroom::metering {

/// The moments recorded in `folder`, in order of time; none if it is no folder of snapshots.
/// Blocks.
std::vector<std::int64_t> recorded_moments(const std::filesystem::path& folder);

/// Where the snapshot of a moment lies, to be read with `read_proc`.
std::filesystem::path snapshot_path(const std::filesystem::path& folder, std::int64_t time_ns);

/// Writes a snapshot so that `read_proc` finds it. Blocks. `errc::io` says which file could not be
/// written.
result<void> record_snapshot(const std::filesystem::path& folder, const proc_snapshot& what);

}  // namespace mailroom::metering
