// Reaps whoever is given to the tests.
#include "reaping.hpp"

#include "support/proc.hpp"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <stdexcept>

namespace finally_run::e2e {
namespace {

std::set<pid_t>& own_children() {
    static std::set<pid_t> pids;
    return pids;
}

int open_signals() {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    const int fd = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    const int high = ::fcntl(fd, F_DUPFD_CLOEXEC, 500); // a case may want any of the low numbers
    if (high < 0)
        throw std::runtime_error("signalfd");
    ::close(fd);
    return high;
}

} // namespace

void add_own_child(pid_t pid) { own_children().insert(pid); }

void remove_own_child(pid_t pid) { own_children().erase(pid); }

int end_of_children() {
    static const int fd = open_signals();
    return fd;
}

void reap_adopted() {
    signalfd_siginfo info{};
    // One may stand for many that have ended meanwhile, so all are looked at.
    if (::read(end_of_children(), &info, sizeof info) != sizeof info)
        return;
    for (const test::ProcStat& process : test::all_processes()) {
        if (process.parent == ::getpid() && process.has_ended() && !own_children().contains(process.pid))
            ::waitpid(process.pid, nullptr, WNOHANG);
    }
}

} // namespace finally_run::e2e
