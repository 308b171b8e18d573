#include "os/bystander.hpp"

#include "os/process.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finally_run::os {

pid_t fork_quietly() {
    // Some machines take the arguments in another order, which does not matter: all are 0.
    return static_cast<pid_t>(::syscall(SYS_clone, 0UL, nullptr, nullptr, nullptr, nullptr));
}

pid_t fork_apart(int fd) {
    int subreaper = 0;
    ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    ::fcntl(fd, F_SETOWN, 0);
    const pid_t between = ::vfork(); // NOLINT: only system calls follow in it
    if (between == 0) {
        const pid_t pid = fork_quietly(); // NOLINT: one system call, and its child has a memory of its own
        if (pid == 0) {
            return 0;
        }
        ::_exit(pid < 0 || ::fcntl(fd, F_SETOWN, pid) < 0 ? 1 : 0);
    }
    while (between > 0 && ::waitpid(between, nullptr, 0) < 0 && errno == EINTR) {
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, subreaper, 0, 0, 0);
    const pid_t owner = between > 0 ? ::fcntl(fd, F_GETOWN) : -1;
    return owner > 0 ? owner : -1;
}

void close_all_but(std::vector<int> kept) {
    std::sort(kept.begin(), kept.end());
    int next = 0;
    const auto close_up_to = [&](int end) { // exclusive
        if (end <= next) {
            return;
        }
        if (::syscall(SYS_close_range, static_cast<unsigned>(next), static_cast<unsigned>(end) - 1U, 0U) < 0) {
            for (const int fd : open_descriptors()) { // an old kernel
                if (fd >= next && fd < end) {
                    ::close(fd);
                }
            }
        }
    };
    for (const int fd : kept) {
        if (fd < 0) {
            continue;
        }
        close_up_to(fd);
        next = std::max(next, fd + 1);
    }
    close_up_to(std::numeric_limits<int>::max());
}

void reap_quiet(pid_t pid) {
    siginfo_t info = {}; // waitid(2), without which no run begins; wait4(2) may be refused
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | static_cast<int>(__WCLONE)) < 0 && errno == EINTR) {
    }
}

} // namespace finally_run::os
