#include "os/bystander.hpp"

#include "os/process.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finally_run::os {

pid_t fork_quietly() {
    // Some machines take the arguments in another order, which does not matter: all are 0.
    return static_cast<pid_t>(::syscall(SYS_clone, 0UL, nullptr, nullptr, nullptr, nullptr));
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
    while (::waitpid(pid, nullptr, static_cast<int>(__WCLONE)) < 0 && errno == EINTR) {
    }
}

} // namespace finally_run::os
