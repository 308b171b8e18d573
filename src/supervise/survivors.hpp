// What is left of a step when the process that started it is gone. Nobody is its parent any more, so /proc has to tell.
#pragma once

#include "os/process.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace finally_run::supervise {

struct Survivors {
    pid_t pid;                      // of the step
    std::uint64_t boot_nanoseconds; // it had started by then, and all its descendants started later
    pid_t session;                  // in which it was started
    std::string mark;               // "FINALLY_RUN_ID=...": in the environment of all that it has started; empty: none
    bool alone_in_group;            // who is in the group or session that it led is of its making, mark or not
    // Who was found once. Its parent may be gone at the next look, and the mark was never there.
    std::vector<os::ProcessInfo> found = {};

    // The step, if it lives, whatever its session, and its descendants of that session.
    [[nodiscard]] std::vector<os::ProcessInfo> members();

private:
    [[nodiscard]] bool is_root(const os::ProcessInfo& process) const;
    [[nodiscard]] std::vector<os::ProcessInfo> look();
};

} // namespace finally_run::supervise
