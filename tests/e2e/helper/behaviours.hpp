// Programs with odd behaviour, for the end-to-end tests to wrap: `helper NAME [ARG...]`.
#pragma once

#include <string>
#include <vector>

namespace finally_run::helper {

using Words = std::vector<std::string>;

[[nodiscard]] int signal_number(const std::string& name);
void ignore(const Words& signals);
[[noreturn]] void pause_for_ever();

int print_signals(const Words& words);      // UNTIL [FILE]: one line per signal received; ends on that one
int ignore_signals(const Words& words);     // SIG...: lives on
int pause_only(const Words& words);         // READY and its pid, then nothing
int outlive(const Words& words);            // SIG MS: lives on for so long after that signal, then exits 7
int exit_on(const Words& words);            // SIG N: exits with N when the signal comes
int relay(const Words& words);              // SECONDS: from TERM on, which it ignores, it forks and ends for so long
int die_of(const Words& words);             // SIG
int stop_self(const Words& words);          // SIGSTOP to itself
int suspend_group(const Words& words);      // SIGTSTP to its group, as editors do
int print_signal_state(const Words& words); // [FILE]: blocked and ignored signals

int orphan(const Words& words);         // FILE SIG...: leaves a child that ignores these, its pid in FILE
int daemon(const Words& words);         // FILE SIG...: the same in a session of its own
int grandchild(const Words& words);     // FILE SIG...: has such a child and stays
int headless(const Words& words);       // FILE FIFO: leaves a child without a main thread; its end is a line in FIFO
int reaped(const Words& words);         // makes orphans that end, waits until no zombie is left
int survey(const Words& words);         // ARGV...: waits for it alone, then says who else is there, zombies included
int reaping_survey(const Words& words); // ARGV...: the same, but waits for whoever becomes a child of it too
int print_ids(const Words& words);      // pid, ppid, pgid, sid
int print_fds(const Words& words);      // [FILE]: open descriptors
int count(const Words& words);          // FILE TOKEN: adds one, sure to be alone

} // namespace finally_run::helper
