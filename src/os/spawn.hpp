// Starting a program. A plain fork(2) would cost about 150 us more and grow with our heap.
//
// One launcher serves all children. It is our own, and takes initializers as Boost.Process v2 documents them (objects
// with on_exec_setup): its process_stdio for stdin, stdout and stderr, and ours for the process group or session, the
// directory, the umask, the signals and the journal's record. The child is reaped by us: there is no process handle.
#pragma once

#include "os/signals.hpp"

#include <fcntl.h>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace finally_run::os {

struct Stdio {
    int in;
    int out;
    int err;
};

enum class Placement {
    shared_group, // our process group and terminal
    own_group,    // leads a process group of its own: setpgid(2)
    own_session,  // leads a session, so a process group, of its own, without a terminal: setsid(2)
};

// The files that execvp(3) would try for a program, in its order, with the PATH of `env`, which ends with a null.
[[nodiscard]] std::vector<std::string> candidates(std::string_view program, const char* const* env);

// All pointers and descriptors are borrowed for the duration of the call.
struct SpawnRequest {
    const char* const* argv; // ends with a null; argv[0] is looked for in the PATH of `env` as execvp(3) does
    const char* const* env;  // ends with a null
    SignalState signals;     // what the program starts with
    sigset_t ignored_here;   // what we ignore now; all else is at its default
    Placement placement = Placement::shared_group;
    std::optional<Stdio> stdio = std::nullopt; // nullopt: ours, open or closed as they are
    int directory = AT_FDCWD;                  // where it starts; AT_FDCWD: where we are
    std::optional<mode_t> mask = std::nullopt; // umask(2); nullopt: ours
    // Called by the child itself right before execve(2): async-signal-safe calls only, and what it writes to memory it
    // writes to ours. An errno that it returns keeps the program from being started.
    std::function<int()> in_child = {};
};

struct SpawnResult {
    pid_t pid = -1;           // the caller reaps it
    int error = 0;            // errno, when pid is -1
    bool exec_failed = false; // the error is execve(2)'s: the program is missing or cannot be run

    // It may work in a moment: no process, memory or descriptor to be had right now.
    [[nodiscard]] bool lacked_resources() const;
    [[nodiscard]] bool started() const { return pid >= 0; }
    // 127 if the program is missing, 126 if it cannot be executed, as env(1) and shells have it.
    [[nodiscard]] int shell_code() const;
};

// Every descriptor that is not close-on-exec goes to the program untouched. Needs all signals blocked (see Signals).
[[nodiscard]] SpawnResult spawn(const SpawnRequest& request);

} // namespace finally_run::os
