#include "keeper.hpp"

#include "os/error.hpp"
#include "os/process.hpp"
#include "support/temp_dir.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finally_run::bench {

namespace {

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Whoever loses its parent becomes our child, since we are the subreaper.
void kill_all_children() {
    do {
        for (const os::ProcessInfo& process : os::all_processes()) {
            if (process.parent == ::getpid()) {
                ::kill(process.pid, SIGKILL);
            }
        }
    } while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
}

} // namespace

int keep(const std::function<int(const std::filesystem::path& directory)>& work) {
    constexpr int stops[] = {SIGHUP, SIGINT, SIGTERM};
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const test::TempDir directory("finally-run-bench");
    const pid_t keeper = ::getpid();
    std::fflush(nullptr);
    const pid_t worker = ::fork();
    if (worker == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int status = ::getppid() == keeper ? work(directory.path()) : EXIT_FAILURE;
        std::fflush(nullptr);
        ::_exit(status);
    }
    if (worker < 0) {
        os::throw_errno("fork");
    }
    static pid_t told = 0;
    told = worker;
    for (const int signal : stops) {
        // Ctrl+C reaches the worker too; a signal that was meant for us alone ends it here.
        std::signal(signal, [](int) { ::kill(told, SIGKILL); });
    }
    const int status = wait_for(worker);
    for (const int signal : stops) {
        std::signal(signal, SIG_IGN); // its pid may soon be another's
    }
    kill_all_children();
    return status;
}

} // namespace finally_run::bench
