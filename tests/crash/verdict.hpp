// What is wrong with a run, told from what it has left behind. No process is touched here.
#pragma once

#include "scenario.hpp"

#include <array>
#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::crash {

enum class Fault {
    lost,     // a registered cleanup did not run to its end
    baseless, // a cleanup ran although no step had begun
    alive,    // setup, command or its child lived when a cleanup began
    unlocked, // the lock was to be had during a cleanup, or by the next holder before the last one
    locked,   // ... and was not afterwards
    again,    // a finished cleanup ran once more, two at once, or in the wrong order
    process,  // a process or zombie was left
    file,     // a file was left
    status,   // the wrong exit status
    silent,   // a failure of which nobody was told, or not in one line
    hang,     // it did not end
    count
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(Fault::count)> fault_names{
    "lost", "baseless", "alive", "unlocked", "locked", "again", "process", "file", "status", "silent", "hang"};

using Faults = std::bitset<static_cast<std::size_t>(Fault::count)>;

struct Seen {
    std::vector<std::string> log; // of the helper: "WHO WHAT PID SESSION"
    std::string err;
    std::optional<int> status; // of the supervisor, as waitpid(2) has it
    bool supervisor_killed = false;
    bool copy_killed = false;     // of the supervisor
    bool keeper_killed = false;   // ... and it was this one
    int signal = 0;               // sent to the supervisor
    bool failed = false;          // one of its system calls was made to fail
    bool failed_in_child = false; // ... between clone(2) and execve(2)
    std::optional<int> finisher_status;
    bool had_next_holder = false; // which may be told of itself
    bool recovered = false;       // the finisher was a recovery, not a next holder
    std::string first_program;    // of all the steps
    // Sessions of the steps whose maker was killed meanwhile, if nobody else of the run was left then.
    std::vector<std::string> abandoned;
    bool left_process = false;
    bool left_lock = false;
    bool had_mark = false;     // at the engine, before: nobody has cleaned up
    bool left_mark = false;    // ... and in the end
    bool left_file = false;    // in the state directory
    bool end_told = false;     // a record there of how a run ended
    bool failure_kept = false; // a journal there with a cleanup that has failed
    bool left_temp_dir = false;
    bool left_tree = false; // that was to be removed
    bool hung = false;
};

struct Verdict {
    Faults faults;
    // A cleanup found the lock free, but only since everybody who held it was killed while it ran: nothing that is
    // started inherits a lock, so that no cleanup can keep it. Whoever recovers the run lets it end, and runs it again.
    // Or a run that is clean is unclean to its engine.
    bool excused = false;
};

// `exits_are_told`: by the kernel, of processes that are not our children.
[[nodiscard]] Verdict judge(const Seen& seen, const Promise& promise, bool exits_are_told = true);

[[nodiscard]] std::string names_of(const Faults& faults);

} // namespace finally_run::crash
