// A process of our own that stands beside what we run: forked, and never a program.
#pragma once

#include <sys/types.h>
#include <vector>

namespace finally_run::os {

// As fork(2), but for the signal that the parent gets at the end: none, and wait(2) and its like report such a child
// only if asked for (__WCLONE). The C library knows nothing of it, which matters to none of what it does: it has one
// thread and leaves with _exit(2).
[[nodiscard]] pid_t fork_quietly();

// Every descriptor but these; a negative one counts for nothing.
void close_all_but(std::vector<int> kept);

// Waits for the end of such a child.
void reap_quiet(pid_t pid);

} // namespace finally_run::os
