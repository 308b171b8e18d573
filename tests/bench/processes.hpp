// What /proc says of processes: who waits, who is the guardian, how much memory and time they have had.
#pragma once

#include <string>
#include <sys/types.h>

namespace finally_run::bench {

// Returns when the process waits in flock(2) for the file. Throws std::runtime_error if that takes a minute.
void await_waiter(const std::string& file, pid_t pid);

// Returns when it is there and has its name. Throws std::runtime_error if that takes a minute.
[[nodiscard]] pid_t guardian_of(pid_t supervisor);

struct Memory {
    double resident = 0; // KiB each
    double proportional = 0;
    double private_dirty = 0;
};
[[nodiscard]] Memory memory_of(pid_t pid);

// Milliseconds on a processor, of all its threads.
[[nodiscard]] double cpu_of(pid_t pid);

} // namespace finally_run::bench
