// A process of our own that stands beside what we run: forked, and never a program.
#pragma once

#include <sys/types.h>
#include <vector>

namespace finally_run::os {

// As fork(2), but for the signal that the parent gets at the end: none, and wait(2) and its like report such a child
// only if asked for (__WCLONE). The C library knows nothing of it, which matters to none of what it does: it has one
// thread and leaves with _exit(2).
[[nodiscard]] pid_t fork_quietly();

// The same, but its parent has ended when this returns, and we are not given its orphan: we are no subreaper meanwhile.
// So nothing else of ours may be there yet that could become an orphan. `fd` carries the pid: as its owner (fcntl(2)),
// since memory is not shared where vfork(2) is emulated. Negative where that fails.
[[nodiscard]] pid_t fork_apart(int fd);

// Every descriptor but these; a negative one counts for nothing.
void close_all_but(std::vector<int> kept);

// Waits for the end of such a child.
void reap_quiet(pid_t pid);

} // namespace finally_run::os
