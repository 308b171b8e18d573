// Runs that are killed with kill -9, their guardians and their journals, as seen from outside.
#pragma once

#include "harness.hpp"

#include "journal/record.hpp"

namespace finally_run::e2e {

// The guardian of this supervisor as soon as it goes by its name; another one than `old`.
[[nodiscard]] pid_t guardian_of(pid_t supervisor, pid_t old = 0);

// kill -9 of finally-run, and what its guardian has said until it is done.
Outcome kill_supervisor(Process& process);
// Of a supervisor that is about to be killed: waits until it and its guardian, if it has one yet, are gone.
Outcome finish_with_guardian(Process& process);
// kill -9 of finally-run and of its guardian: nobody is left to clean up.
Outcome kill_both(Process& process);
// The same without waiting for what is written.
void kill_both(pid_t supervisor);

// Of the one run that was killed, until its guardian is at work: a cleanup that has ended before that is run again,
// since nobody can tell how.
void wait_until_finishing();

// A run that nobody finishes: it and its guardian were killed when its command, or a step, had said READY.
struct Unfinished {
    std::string id;
    fs::path journal;
    pid_t ready; // who said it
};
[[nodiscard]] Unfinished leave_unfinished(const Run& run);
[[nodiscard]] Unfinished leave_alive(const Run& run); // and whoever said READY lives on

[[nodiscard]] fs::path runs_dir();
[[nodiscard]] std::vector<fs::path> run_files(); // journals and logs
[[nodiscard]] fs::path only_run_file();

// Writes the journal anew with each record as `edit` leaves it.
void edit_journal(const fs::path& path, const std::function<void(journal::Record&)>& edit);

// What cleanups have written into the file "log" so far.
[[nodiscard]] std::string log_text();
void wait_for_log(std::string_view part);
// The pid in a file that a program has written by itself.
[[nodiscard]] pid_t pid_in(std::string_view file);

// A cleanup that says in the log who runs it after which result, and, if so, that the process in the file "pid" still
// lives, or that the lock "l" is free.
constexpr const char* witness = "grep -qs '^State:.[^ZX]' /proc/$(cat pid 2>/dev/null)/status && echo alive >>log; "
                                "flock -n \"$XDG_STATE_HOME/finally-run/l\" true && echo unlocked >>log; "
                                "echo cleaned by $FINALLY_RUN_BY after $FINALLY_RUN_RESULT >>log";

// A cleanup that takes until somebody releases "fifo".
constexpr const char* waiting = "echo begun >>log; read x <fifo; echo ended >>log";

} // namespace finally_run::e2e
