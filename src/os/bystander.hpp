// A process of our own that stands beside what we run: forked, and never a program.
#pragma once

#include "os/environment.hpp"
#include "os/fd.hpp"
#include "os/title.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace finally_run::os {

// As fork(2), but for the signal that the parent gets at the end: none, and wait(2) and its like report such a child
// only if asked for (__WCLONE). The C library knows nothing of it, which matters to none of what it does: it has one
// thread and leaves with _exit(2).
[[nodiscard]] pid_t fork_quietly();

// The same, but its parent has ended when this returns, and we are not given its orphan: we are no subreaper meanwhile.
// So nothing else of ours may be there yet that could become an orphan. `fd` carries the pid: as its owner (fcntl(2)),
// since memory is not shared where vfork(2) is emulated. Before it first runs, which on a busy machine takes a while,
// it is in no group that we are in, nor in a session of anybody alive, and goes by `name`: whoever kills our group
// spares it, and whoever looks knows it. Negative where that fails.
[[nodiscard]] pid_t fork_apart(int fd, const char* name);

// Every descriptor but these, in ascending order; a negative one counts for nothing.
void close_all_but(std::span<const int> kept);

// Waits for the end of such a child.
void reap_quiet(pid_t pid);

// Whose child it is. One that is nobody's is not killed by those who kill a tree of processes from parent to child;
// whoever is given our orphans has to reap it.
enum class Kin { child, nobodys };

// What it is called, by us and by others.
struct Role {
    std::string_view what; // "guardian"
    const char* name;      // of the process, 15 bytes at most
    std::string title;     // its command line
};

// A long-lived bystander and its line to us, a pipe or a socket. It has a session of its own, no descriptor but those
// that it says it needs, and nothing in memory that is not ours too.
class Bystander {
public:
    struct Body {
        // What it has of our descriptors (-1 counts for nothing): beside these stderr, and /dev/null, unless that is
        // -1, as stdin and stdout.
        std::vector<int> needed;
        int null = -1;
        // Bytes that it must be able to allocate whatever else has used up: without them it does not begin.
        std::size_t memory = 0;
        // What it does, and ends. argv and envp of main are blank by then. Nobody hears what it throws.
        std::function<void(int line)> live;
    };

    // Forks it, quietly. `line` is its end, which we close, and `ours` ours. All that can be done before the fork is:
    // each page that either writes to after it has to be copied. Throws std::system_error.
    void start(Kin kin, Fd ours, Fd line, const Role& role, const MainArgs& main_args, Body body);

    // Until a child is what one that is nobody's is from the start: in no group of ours, and called by its name. Right
    // after the fork it has mostly not run yet.
    void await_apart() noexcept;

    [[nodiscard]] bool is_there() const { return m_pid > 0; }
    [[nodiscard]] int line() const { return m_line.get(); } // its other end reports an error once the bystander is gone

    // Its end goes on beside whatever follows.
    void kill() const noexcept;
    // Until it is gone. It knows that it is to go, or has died.
    void await_end();

private:
    [[nodiscard]] bool lives() const noexcept;

    pid_t m_pid = 0;
    Kin m_kin = Kin::child;
    Fd m_pidfd; // of one that is nobody's child
    Fd m_line;
    Fd m_apart; // ends when a child is apart, or gone
};

// The environment of such a process, in its own memory: the place of the old one is shown by /proc and may be blanked.
class OwnEnvironment {
public:
    // As it is now it becomes environ, for getenv(3). It has been detached, and outlives this.
    void take(const Environment& environment);

private:
    std::vector<char*> m_block;
};

} // namespace finally_run::os
