// What /proc says of processes: proc(5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace finally_run::test {

struct ProcStat {
    pid_t pid = 0;
    std::string name; // of the program, cut to 15 characters, unless it has changed it
    char state = 0;
    pid_t parent = 0;
    unsigned long flags = 0;

    [[nodiscard]] bool has_ended() const { return state == 'Z' || state == 'X'; }
    // It no longer holds what it held, or is just letting it go: PF_EXITING is set before its files are closed.
    [[nodiscard]] bool is_ending() const { return has_ended() || (flags & 0x4) != 0; }
};

// Nothing if there is no such process.
[[nodiscard]] std::optional<ProcStat> proc_stat(pid_t pid);
[[nodiscard]] std::vector<ProcStat> all_processes(); // also zombies

// The text of /proc/PID/FILE; empty if the process is gone.
[[nodiscard]] std::string proc_text(pid_t pid, std::string_view file);
[[nodiscard]] std::string command_line(pid_t pid); // its words, each followed by a blank

// The living children of a process that run this program.
[[nodiscard]] std::vector<pid_t> children_running(std::string_view program, pid_t parent);
// The guardians of this supervisor that go by their name by now. Each waits for it at the other end of a pipe.
[[nodiscard]] std::vector<pid_t> guardians_of(pid_t supervisor);
// Whoever is below a process, at any depth, and has not ended.
[[nodiscard]] std::vector<pid_t> descendants(pid_t ancestor);

} // namespace finally_run::test
