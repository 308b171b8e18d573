// The locks of --status: who holds them, and who waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace finally_run::report {

// All text is foreign and raw. An empty one is not known.
struct LockUser {
    pid_t pid = 0;
    std::string command;
    std::string run_id; // of a run that holds it
    bool shared = false;
    std::chrono::system_clock::time_point since; // when it started; the epoch: not known
    bool at_engine = false;   // it has the local part of a lock that machines share, and waits for the other one
    std::string held_by = {}; // ... that is held by whom the engine has named
};

struct LockStatus {
    std::string name; // or its path
    std::vector<LockUser> holders;
    std::vector<LockUser> waiters; // in the kernel's order
};

// A line for each lock, and below it one for each holder and waiter, cut to `columns`.
[[nodiscard]] std::string lock_lines(std::span<const LockStatus> locks, std::chrono::system_clock::time_point now,
                                     std::size_t columns);

} // namespace finally_run::report
