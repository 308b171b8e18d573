// Namespaces: they cost once what they save in each trial.
#include "place.hpp"

#include "processes.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

void write_file(const char* path, const std::string& text) {
    const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw_errno(path);
    }
    ::close(fd);
}

struct Ids {
    uid_t user = ::geteuid();
    gid_t group = ::getegid();
};

// Who is not root may have the others as the owner of a user namespace, in which it is who it was.
void keep_ids(Ids ids) {
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", std::to_string(ids.user) + ' ' + std::to_string(ids.user) + " 1");
    write_file("/proc/self/gid_map", std::to_string(ids.group) + ' ' + std::to_string(ids.group) + " 1");
}

void mount_or_fail(const char* type, const char* at, unsigned long flags) {
    if (::mount(type, at, type, flags, nullptr) < 0) {
        throw_errno(at);
    }
}

void settle(const fs::path& directory, Ids ids) {
    if (ids.user != 0) {
        keep_ids(ids);
    }
    mount_or_fail(nullptr, "/", MS_REC | MS_PRIVATE); // else the mounts below would be seen outside
    mount_or_fail("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    mount_or_fail("tmpfs", directory.c_str(), MS_NOSUID | MS_NODEV);
}

pid_t clone_apart(Ids ids) {
    const long flags = SIGCHLD | CLONE_NEWPID | CLONE_NEWNS | (ids.user == 0 ? 0 : CLONE_NEWUSER);
    return static_cast<pid_t>(::syscall(SYS_clone, flags, 0, 0, 0, 0)); // fork(2) otherwise
}

[[noreturn]] void do_and_end(const std::function<void()>& work) {
    try {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        work();
        ::_exit(0);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "crash_tests: %s\n", error.what());
        ::_exit(1);
    }
}

} // namespace

pid_t fork_to(const std::function<void()>& work) {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw_errno("fork");
    }
    if (pid == 0) {
        do_and_end(work);
    }
    return pid;
}

pid_t fork_apart_to(const fs::path& directory, const std::function<void()>& work) {
    std::fflush(nullptr);
    const Ids ids;
    const pid_t pid = clone_apart(ids);
    if (pid == 0) {
        do_and_end([&] {
            settle(directory, ids);
            work();
        });
    }
    return pid;
}

bool can_be_apart(const fs::path& directory) {
    const pid_t pid = fork_apart_to(directory, [] {});
    int status = 0;
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

} // namespace finally_run::crash
