// The kernel's side of the crash tests: waiting for and looking at processes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace finally_run::crash {

using Deadline = std::chrono::steady_clock::time_point;

[[noreturn]] void throw_errno(const char* what);

// SIGCHLD and told_signal are waited for and never handled; no signal is ignored.
void block_signals();

// A child has changed, or else a step has begun.
struct Woken {
    std::uintptr_t mark = 0; // of that step
};

// Nothing: the deadline has come.
[[nodiscard]] std::optional<Woken> wait_for_signal(Deadline deadline);

// Whatever somebody who is gone by now has told.
void forget_signals();

[[nodiscard]] std::string command_line(pid_t pid); // its words, with blanks between them
[[nodiscard]] bool is_thread_of(pid_t pid, pid_t process);
[[nodiscard]] bool is_running(pid_t pid);             // and no zombie
[[nodiscard]] std::string name_of_process(pid_t pid); // as ps(1) shows it
struct Family {
    pid_t process; // of which it is a thread; itself if it is none
    pid_t parent;
};
[[nodiscard]] Family family_of(pid_t pid);
// Of one that has done nothing since its maker's clone(2): by CLONE_VFORK.
[[nodiscard]] bool was_made_to_run_a_program(pid_t pid);

[[nodiscard]] bool blocks(pid_t pid, int signal); // of a traced process that stands still

// Also zombies; a subreaper that has waited for all that it knows of has none.
[[nodiscard]] bool has_children();
// One that is on its way out gives back its locks before it is a zombie; so whoever waited for those may end earlier.
[[nodiscard]] bool has_running_children();
void kill_descendants();

// Makes the system call at whose entry a traced process stands be no call at all.
void skip_call(pid_t pid);
// At the exit of a call: what the process sees as its result.
void set_result(pid_t pid, long result);

} // namespace finally_run::crash
