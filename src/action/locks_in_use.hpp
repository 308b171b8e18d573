// The locks that somebody holds or waits for, for --status.
#pragma once

#include "journal/record.hpp"
#include "os/process.hpp"
#include "report/status_locks.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace finally_run::action {

// A run of this boot that is alive.
struct LiveRun {
    std::string id;
    std::string command;
    pid_t supervisor;
    pid_t at_work;
    std::optional<os::ProcessInfo> process; // of who is at work, if it was looked at
    std::vector<journal::LockId> locks;
};

// A lock of the state directory goes by its name, any other by its path.
[[nodiscard]] std::string name_of(const journal::LockId& lock, const std::filesystem::path& state_dir);

// Those of the state directory, whoever holds them, and those of the runs.
[[nodiscard]] std::vector<report::LockStatus> locks_in_use(const std::filesystem::path& state_dir,
                                                           std::span<const LiveRun> runs);

} // namespace finally_run::action
